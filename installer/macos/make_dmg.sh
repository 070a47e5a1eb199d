#!/usr/bin/env bash
# Makes a DMG of build/dist/Sliceloop.app, which installer/build.py has frozen on this Mac.
#   bash installer/macos/make_dmg.sh VERSION
# With SIGN_AS ("Developer ID Application: …") it is signed; with NOTARY_PROFILE (a keychain
# profile of notarytool) it is notarised as well. Without them it runs on this Mac, and elsewhere
# after a person has allowed it in the system's settings.
set -euo pipefail
version=${1:?"say which version: make_dmg.sh VERSION"}
here=$(cd "$(dirname "$0")" && pwd)
dist="$here/../../build/dist"
app="$dist/Sliceloop.app"
dmg="$dist/sliceloop-$version-macos-$(uname -m).dmg"
[ -d "$app" ] || { echo "make_dmg: $app is not there; run installer/build.py first" >&2; exit 1; }

if [ -n "${SIGN_AS:-}" ]; then
    # Inside out: every library first, the bundle last.
    find "$app/Contents" -type f \( -name '*.dylib' -o -name '*.so' \) -print0 |
        xargs -0 codesign --force --timestamp --options runtime --sign "$SIGN_AS"
    codesign --force --timestamp --options runtime \
        --entitlements "$here/entitlements.plist" --sign "$SIGN_AS" \
        "$app/Contents/MacOS/sliceloop" "$app/Contents/MacOS/sliceloopw"
    codesign --force --timestamp --options runtime \
        --entitlements "$here/entitlements.plist" --sign "$SIGN_AS" "$app"
    codesign --verify --deep --strict "$app"
else
    # Apple silicon starts nothing unsigned: the mark of this Mac alone.
    codesign --force --deep --sign - "$app"
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -R "$app" "$stage/"
ln -s /Applications "$stage/Applications"
cp "$here/../../LICENSE" "$stage/"
rm -f "$dmg"
hdiutil create -volname "Sliceloop $version" -srcfolder "$stage" -format ULMO -ov "$dmg"

if [ -n "${SIGN_AS:-}" ]; then
    codesign --timestamp --sign "$SIGN_AS" "$dmg"
fi
if [ -n "${NOTARY_PROFILE:-}" ]; then
    xcrun notarytool submit "$dmg" --keychain-profile "$NOTARY_PROFILE" --wait
    xcrun stapler staple "$dmg"
fi
du -h "$dmg"
