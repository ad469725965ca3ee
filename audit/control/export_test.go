package control

// CompileExpression is the compiler behind the loader.
var CompileExpression = compileExpression
