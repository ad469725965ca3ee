package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/tallystick/tallystick/internal/text"
)

// unreadable explains why path can't be opened and what to do about it.
func unreadable(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return &text.Hint{Err: fmt.Errorf("failed to open %s: %w", path, bare(err)), Hint: "check that the path is a readable log file"}
	}
	me := "uid " + strconv.Itoa(os.Geteuid())
	if u, uerr := user.Current(); uerr == nil && u.Username != "" {
		me = u.Username
	}
	info, serr := os.Stat(path)
	if serr != nil {
		return &text.Hint{
			Err:  fmt.Errorf("failed to open %s: permission denied for %s on its folder", path, me),
			Hint: fmt.Sprintf("give %s the right to enter each folder of the path: chmod g+x and add it to the folder's group", me),
		}
	}
	owner, group := owners(info)
	hint := fmt.Sprintf("sudo usermod -aG %s %s, then start again", group, me)
	if info.Mode().Perm()&0o040 == 0 {
		hint = fmt.Sprintf("sudo setfacl -m u:%s:r %s, and the same where the log is rotated (create 0640 %s %s)", me, path, owner, group)
	}
	return &text.Hint{
		Err:  fmt.Errorf("failed to open %s: permission denied: mode %04o, owner %s, group %s, running as %s", path, info.Mode().Perm(), owner, group, me),
		Hint: hint,
	}
}

func owners(info fs.FileInfo) (owner, group string) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?", "?"
	}
	owner, group = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return owner, group
}

// bare is err without the path that a PathError repeats.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// fileID tells files apart on one machine.
type fileID struct{ device, inode uint64 }

func idOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{device: uint64(st.Dev), inode: st.Ino} //nolint:unconvert // Dev is int32 on some systems
}
