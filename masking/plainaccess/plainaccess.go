// Package plainaccess holds the token that reading a clear value needs.
//
// Its only purpose is to make every reader of clear personal values visible as
// an import: the list of packages that may import it is closed and a test over
// the import graph enforces it. It contains no function.
package plainaccess

// Token is the permission to read a clear value, see plain.Text.Reveal.
type Token struct{}
