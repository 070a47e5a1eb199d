"""What a reader does with images besides labelling them: layouts, slabs, measurements, drawing."""
