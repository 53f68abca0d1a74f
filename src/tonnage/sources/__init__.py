"""Reading what the user wrote: text in, model out, with file and line for every complaint."""
