package auditor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

// replayPage is how many rejections make a chunk, at most.
const replayPage = 10_000

// Rejections puts rejected lines of a span through the stages again. Those that
// become entries now make chunks of their own; the others stay rejections.
func (r *Replayer) Rejections(ctx context.Context, p store.Span, progress func(done, total uint64)) (Replayed, error) {
	var out Replayed
	stages, err := r.deps.Stages(ctx, nil)
	if err != nil {
		return out, err
	}
	var last *audit.Rejection
	done := uint64(0)
	for {
		page, err := r.deps.Store.RejectedIn(ctx, p, last, replayPage)
		if err != nil {
			return out, fmt.Errorf("failed to read rejections: %w", err)
		}
		if len(page) == 0 {
			return out, nil
		}
		if err := r.page(ctx, stages, page, &out); err != nil {
			return out, fmt.Errorf("failed to replay rejections: %w", err)
		}
		last = &page[len(page)-1]
		done += uint64(len(page))
		progress(done, 0)
	}
}

// page makes the chunk of a page of rejections.
func (r *Replayer) page(ctx context.Context, stages Processor, page []audit.Rejection, out *Replayed) error {
	tag := make([]byte, 8)
	if _, err := rand.Read(tag); err != nil {
		return err
	}
	now := r.a.deps.Now().UnixNano()
	// Version 1 of it never was: so nobody sees it before it is whole.
	c := &audit.Chunk{ID: "replay-" + hex.EncodeToString(tag), Version: 2, Partition: store.NoPartition, From: now, Until: now}
	if err := r.begin(c); err != nil {
		return err
	}
	b := newBuilding(map[string]bool{})
	b.begin(c)
	var read []audit.Rejection
	for len(page) > 0 {
		n := 1
		for n < len(page) && n < blockLines && page[n].Source == page[0].Source && page[n].Received.Equal(page[0].Received) {
			n++
		}
		some, err := r.again(ctx, stages, b, page[:n], out)
		if err != nil {
			return err
		}
		read, page = append(read, some...), page[n:]
	}
	if len(read) == 0 {
		return nil
	}
	if err := r.write(ctx, b, func(ctx context.Context) error { return r.deps.Store.Replayed(ctx, c, read) }); err != nil {
		return err
	}
	out.add(c)
	return r.show(ctx, c)
}

// again puts rejections of one source and time through the stages, adds the
// entries that come of them and returns the rejections that they were.
func (r *Replayer) again(ctx context.Context, stages Processor, b *building, rs []audit.Rejection, out *Replayed) (read []audit.Rejection, err error) {
	batch := &audit.Batch{Source: rs[0].Source, Received: rs[0].Received}
	var of []audit.Rejection // of each line
	for i := range rs {
		text, err := r.deps.OpenLine(&rs[i])
		if err != nil {
			out.Sealed++
			continue
		}
		batch.Lines = append(batch.Lines, audit.Line{Origin: rs[i].Origin, Text: text, Length: rs[i].Length, Mark: rs[i].Mark})
		of = append(of, rs[i])
	}
	if len(batch.Lines) == 0 {
		return nil, nil
	}
	if err := stages.Process(ctx, batch); err != nil {
		return nil, err
	}
	still := map[int]bool{}
	for _, x := range batch.Rejections {
		still[x.Line] = true
	}
	out.Rejections += uint64(len(still))
	for i := range of {
		if !still[i] {
			read = append(read, of[i])
		}
	}
	batch.Rejections = nil
	return read, b.add(r.a, &work{batch: batch}, nil)
}
