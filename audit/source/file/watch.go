package file

import (
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watcher wakes a Tailer when something changes in its folders. Without
// notifications (too many watches, a network file system) the poll does all.
type watcher struct {
	w       *fsnotify.Watcher
	folders map[string]bool
	logger  *slog.Logger
}

func newWatcher(logger *slog.Logger) *watcher {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Warn("no notifications of file changes: folders are looked at each second", "error", err)
		w = nil
	}
	return &watcher{w: w, folders: map[string]bool{}, logger: logger}
}

// follow watches the folders of the patterns and of the files found.
func (w *watcher) follow(patterns []string, files []present) {
	if w.w == nil {
		return
	}
	add := func(path string) {
		dir := filepath.Dir(path)
		if !w.folders[dir] && w.w.Add(dir) == nil {
			w.folders[dir] = true
		}
	}
	for _, p := range patterns {
		add(p)
	}
	for _, f := range files {
		add(f.path)
	}
}

func (w *watcher) events() <-chan fsnotify.Event {
	if w.w == nil {
		return nil
	}
	return w.w.Events
}

// errors yields what the notifications could not tell, an overflow above all.
func (w *watcher) errors() <-chan error {
	if w.w == nil {
		return nil
	}
	return w.w.Errors
}

// renames takes all events that wait behind first and reports whether one of
// them is about a name rather than about content.
func (w *watcher) renames(first fsnotify.Event) bool {
	renamed := !first.Has(fsnotify.Write)
	for {
		select {
		case e := <-w.w.Events:
			renamed = renamed || !e.Has(fsnotify.Write)
		default:
			return renamed
		}
	}
}

func (w *watcher) close() {
	if w.w != nil {
		_ = w.w.Close()
	}
}
