package keys

import (
	"fmt"
	"os"

	"github.com/tallystick/tallystick/internal/text"
)

// readPrivate reads a file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &text.Hint{
			Err:  fmt.Errorf("key file %s is open to other users (mode %04o)", path, info.Mode().Perm()),
			Hint: "chmod 600 " + path,
		}
	}
	return os.ReadFile(path)
}
