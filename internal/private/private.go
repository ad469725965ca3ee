// Package private reads the files of secrets that the configuration and commands
// name: passwords, tokens, private keys, back-ups of keys.
//
// One that anybody but its owner may read is refused, with what to do. What is
// wrong is told by the name of the field and the path, never by the content.
// Every package that reads such a file calls it; files that the program writes
// wrapped or for everybody are read as any other.
package private

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tallystick/tallystick/internal/text"
)

// others are the rights of everybody but the owner.
const others = 0o077

// Read returns what is in the file at path; what names it in errors. The error
// is fs.ErrNotExist if there is none.
func Read(what, path string) ([]byte, error) {
	f, err := open(what, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", what, err)
	}
	return b, nil
}

// open judges the file that is open, so that none can take its place in between.
func open(what, path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", what, err)
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("failed to read %s: %w", what, err)
	case st.IsDir():
		err = fmt.Errorf("failed to read %s: %s is a folder", what, path)
	case st.Mode().Perm()&others != 0:
		err = &text.Hint{Err: fmt.Errorf("%s %s is open to other users (mode %04o)", what, path, st.Mode().Perm()), Hint: "chmod 600 " + path}
	default:
		return f, nil
	}
	_ = f.Close()
	return nil, err
}

// Check is the error that Read would give, without reading.
func Check(what, path string) error {
	f, err := open(what, path)
	if err == nil {
		_ = f.Close()
	}
	return err
}

// FirstLine returns the first line of a file, without its end. An empty one is an
// error.
func FirstLine(what, path string) (string, error) {
	b, err := Read(what, path)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", &text.Hint{Err: fmt.Errorf("%s: the first line of %s is empty", what, path), Hint: "put the secret alone into the file"}
	}
	return string(line), nil
}

// KeyPair returns the certificate, which anybody may read, and its private key.
// what names the key's file.
func KeyPair(what, certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("failed to read the certificate: %w", err)
	}
	key, err := Read(what, keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		// crypto/tls says what kind of block or key it found, not what is in it.
		return tls.Certificate{}, errors.Join(fmt.Errorf("%s and %s make no pair", certFile, keyFile), err)
	}
	return pair, nil
}
