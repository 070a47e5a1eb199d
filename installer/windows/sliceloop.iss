; Inno Setup 6.3 or newer: per user, no administrator. Made from the frozen folder by
;   iscc /DVersion=0.1.0 installer\windows\sliceloop.iss
; (installer\build.py leaves the folder in build\dist\sliceloop and the icon in build\icon).

#ifndef Version
  #error "Say which version: iscc /DVersion=0.1.0 sliceloop.iss"
#endif
#define Root "..\.."

[Setup]
AppId={{6E7B2D34-5F0C-4E61-9C0B-2B8D53A0F1C7}
AppName=Sliceloop
AppVersion={#Version}
AppPublisher=The Sliceloop authors
AppComments=Not for diagnostic use
DefaultDirName={autopf}\Sliceloop
DefaultGroupName=Sliceloop
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
OutputDir={#Root}\build\dist
OutputBaseFilename=sliceloop-{#Version}-windows-x86_64
Compression=lzma2/max
SolidCompression=yes
LZMANumBlockThreads=4
WizardStyle=modern
LicenseFile={#Root}\LICENSE
SetupIconFile={#Root}\build\icon\sliceloop.ico
UninstallDisplayIcon={app}\sliceloopw.exe
UninstallDisplayName=Sliceloop
ChangesAssociations=yes
ChangesEnvironment=yes
CloseApplications=yes
RestartApplications=no

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "ko"; MessagesFile: "compiler:Languages\Korean.isl"

[CustomMessages]
en.OpenWith=Open with Sliceloop
ko.OpenWith=Sliceloop에서 열기
en.Associate=Open DICOM, NIfTI, NRRD and MetaImage files with Sliceloop
ko.Associate=DICOM, NIfTI, NRRD, MetaImage 파일을 Sliceloop에서 열기
en.OnPath=Let command prompts find the command sliceloop
ko.OnPath=명령 프롬프트에서 sliceloop 명령 사용
en.Tour=Sliceloop guided tour
ko.Tour=Sliceloop 둘러보기
en.NotDiagnostic=Sliceloop is an assistant for reading and for research. It is not for diagnostic use.
ko.NotDiagnostic=Sliceloop는 판독 보조 및 연구용입니다. 진단용이 아닙니다.

[Messages]
en.WelcomeLabel2=This will install [name/ver] for you alone; no administrator is needed.%n%nSliceloop is an assistant for reading and for research. It is not for diagnostic use.
ko.WelcomeLabel2=[name/ver]을(를) 현재 사용자에게만 설치합니다. 관리자 권한이 필요하지 않습니다.%n%nSliceloop는 판독 보조 및 연구용입니다. 진단용이 아닙니다.

[Tasks]
Name: "associate"; Description: "{cm:Associate}"
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "path"; Description: "{cm:OnPath}"; Flags: unchecked

[InstallDelete]
; Files of an older version must not be found beside the new ones.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Root}\build\dist\sliceloop\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion

[Icons]
Name: "{autoprograms}\Sliceloop"; Filename: "{app}\sliceloopw.exe"; Comment: "{cm:NotDiagnostic}"; AppUserModelID: "Sliceloop.Sliceloop"
Name: "{autoprograms}\{cm:Tour}"; Filename: "{app}\sliceloopw.exe"; Parameters: "demo"
Name: "{autodesktop}\Sliceloop"; Filename: "{app}\sliceloopw.exe"; Tasks: desktopicon

[Registry]
; One class for all kinds of file.
Root: HKA; Subkey: "Software\Classes\Sliceloop.Image"; ValueType: string; ValueData: "Sliceloop image"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Sliceloop.Image\DefaultIcon"; ValueType: string; ValueData: "{app}\sliceloopw.exe,0"
Root: HKA; Subkey: "Software\Classes\Sliceloop.Image\shell\open\command"; ValueType: string; ValueData: """{app}\sliceloopw.exe"" ""%1"""
; Offered in Open with, and taken over only if nobody else has the extension.
Root: HKA; Subkey: "Software\Classes\.dcm\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.dicom\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.nii\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.nrrd\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.nhdr\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.mha\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.mhd\OpenWithProgids"; ValueType: string; ValueName: "Sliceloop.Image"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.dcm"; ValueType: string; ValueData: "Sliceloop.Image"; Flags: createvalueifdoesntexist; Tasks: associate
Root: HKA; Subkey: "Software\Classes\Applications\sliceloopw.exe\shell\open\command"; ValueType: string; ValueData: """{app}\sliceloopw.exe"" ""%1"""; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Applications\sliceloopw.exe"; ValueType: string; ValueName: "FriendlyAppName"; ValueData: "Sliceloop"
; Folders: on the folder itself, and on the space inside an open one.
Root: HKA; Subkey: "Software\Classes\Directory\shell\Sliceloop"; ValueType: string; ValueData: "{cm:OpenWith}"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Directory\shell\Sliceloop"; ValueType: string; ValueName: "Icon"; ValueData: "{app}\sliceloopw.exe,0"
Root: HKA; Subkey: "Software\Classes\Directory\shell\Sliceloop\command"; ValueType: string; ValueData: """{app}\sliceloopw.exe"" ""%1"""
Root: HKA; Subkey: "Software\Classes\Directory\Background\shell\Sliceloop"; ValueType: string; ValueData: "{cm:OpenWith}"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Directory\Background\shell\Sliceloop"; ValueType: string; ValueName: "Icon"; ValueData: "{app}\sliceloopw.exe,0"
Root: HKA; Subkey: "Software\Classes\Directory\Background\shell\Sliceloop\command"; ValueType: string; ValueData: """{app}\sliceloopw.exe"" ""%V"""
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsNotOnPath

[Run]
Filename: "{app}\sliceloopw.exe"; Description: "{cm:LaunchProgram,Sliceloop}"; Flags: nowait postinstall skipifsilent
Filename: "{app}\sliceloopw.exe"; Parameters: "demo"; Description: "{cm:Tour}"; Flags: nowait postinstall skipifsilent unchecked

; Nothing under [UninstallDelete]: labels, models and settings lie in the person's own folders
; (%LOCALAPPDATA%\sliceloop) and are theirs.

[Code]
function IsNotOnPath: Boolean;
var
  Path: String;
begin
  if not RegQueryStringValue(HKCU, 'Environment', 'Path', Path) then
    Path := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Path) + ';') = 0;
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Path, Ours: String;
begin
  if Step <> usPostUninstall then
    exit;
  if RegQueryStringValue(HKCU, 'Environment', 'Path', Path) then
  begin
    Ours := ';' + ExpandConstant('{app}');
    if StringChangeEx(Path, Ours, '', True) > 0 then
      RegWriteExpandStringValue(HKCU, 'Environment', 'Path', Path);
  end;
end;
