package services

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// diskWatch looks at the room on the data folder's disk, which the embedded
// Kafka and ClickHouse share. When it runs out, merges stop: one that meets a
// full disk may leave a part that can't be read. What can't be stored waits where
// it is, in Kafka or in its log file.
type diskWatch struct {
	a      *App
	merges func(ctx context.Context, on bool) error
	free   prometheus.Gauge
	low    bool
}

const (
	diskEvery = 500 * time.Millisecond
	// leastFree is the room under which merges stop; they go on at twice that.
	leastFree = 64 << 20
)

func (a *App) watchDisk(merges func(ctx context.Context, on bool) error) {
	w := &diskWatch{a: a, merges: merges, free: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tallystick_data_free_bytes", Help: "Room on the disk of the data folder.",
	})}
	a.metrics.MustRegister(w.free)
	a.onRun("disk watch", w.run)
}

func (w *diskWatch) run(ctx context.Context) error {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		var st unix.Statfs_t
		if err := unix.Statfs(w.a.dir.path, &st); err == nil {
			w.saw(ctx, st.Bavail*uint64(st.Bsize))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// saw acts on the room that is left, in bytes.
func (w *diskWatch) saw(ctx context.Context, free uint64) {
	w.free.Set(float64(free))
	switch {
	case !w.low && free < leastFree:
		w.low = true
		w.a.log.Error("the disk of the data folder is nearly full: merges of the embedded ClickHouse stop, and soon nothing can be stored",
			"free_bytes", free, "hint", "free some room: lines wait meanwhile in their logs and in Kafka, and none is lost")
	case w.low && free > 2*leastFree:
		w.low = false
		w.a.log.Info("there is room on the disk of the data folder again", "free_bytes", free)
	default:
		return
	}
	if err := w.merges(ctx, !w.low); err != nil && ctx.Err() == nil {
		w.low = !w.low // tried again
		w.a.log.Warn("merges could not be stopped or started", "error", err)
	}
}
