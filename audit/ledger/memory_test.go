package ledger_test

import (
	"context"
	"fmt"
	stdslices "slices"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// memory is a store in memory.
type memory struct {
	chunks     []*memoryChunk
	superseded []audit.ChunkKey
	replayed   map[string][2]uint64
}

type memoryChunk struct {
	audit.Chunk
	entries    []audit.Entry
	rejections []audit.Rejection
	findings   []audit.Finding
	capsules   []audit.Capsule
	originals  []audit.Original
	open       bool // being written
	unknown    bool // not in the register
}

func (m *memory) EachState(_ context.Context, f func(audit.ChunkState) error) error {
	for _, c := range m.chunks {
		if c.unknown {
			continue
		}
		if err := f(audit.ChunkState{ChunkKey: c.key(), Closed: !c.open, Opened: c.Opened, Salt: c.Salt}); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) EachStored(_ context.Context, f func(audit.ChunkKey) error) error {
	for _, c := range m.chunks {
		if err := f(c.key()); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) EachSuperseded(_ context.Context, f func(audit.ChunkKey) error) error {
	for _, k := range m.superseded {
		if err := f(k); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) EachReplayed(_ context.Context, f func(string, uint64, uint64) error) error {
	for chunk, n := range m.replayed {
		if err := f(chunk, n[0], n[1]); err != nil {
			return err
		}
	}
	return nil
}

func (c *memoryChunk) key() audit.ChunkKey { return audit.ChunkKey{ID: c.ID, Version: c.Version} }

func (m *memory) chunk(id string) *memoryChunk {
	for _, c := range m.chunks {
		if c.ID == id {
			return c
		}
	}
	return &memoryChunk{}
}

// each gives the rows of chunks backwards: verify may not count on an order.
func each[T any](m *memory, ids []string, rows func(*memoryChunk) []T, f func(audit.ChunkKey, uint32, *T) error) error {
	for _, c := range stdslices.Backward(m.chunks) {
		if !stdslices.Contains(ids, c.ID) {
			continue
		}
		list := rows(c)
		for i := len(list) - 1; i >= 0; i-- {
			n := uint32(i)
			switch e := any(&list[i]).(type) {
			case *audit.Entry:
				n = e.Row
			case *audit.Original:
				n = e.Row
			}
			if err := f(c.key(), n, &list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) EntriesOf(_ context.Context, ids []string, f func(audit.ChunkKey, uint32, *audit.Entry) error) error {
	return each(m, ids, func(c *memoryChunk) []audit.Entry { return c.entries }, f)
}

func (m *memory) RejectionsOf(_ context.Context, ids []string, f func(audit.ChunkKey, uint32, *audit.Rejection) error) error {
	return each(m, ids, func(c *memoryChunk) []audit.Rejection { return c.rejections }, f)
}

func (m *memory) FindingsOf(_ context.Context, ids []string, f func(audit.ChunkKey, uint32, *audit.Finding) error) error {
	return each(m, ids, func(c *memoryChunk) []audit.Finding { return c.findings }, f)
}

func (m *memory) CapsulesOf(_ context.Context, ids []string, f func(audit.ChunkKey, uint32, *audit.Capsule) error) error {
	return each(m, ids, func(c *memoryChunk) []audit.Capsule { return c.capsules }, f)
}

func (m *memory) OriginalsOf(_ context.Context, ids []string, f func(audit.ChunkKey, uint32, *audit.Original) error) error {
	return each(m, ids, func(c *memoryChunk) []audit.Original { return c.originals }, f)
}

// add stores a chunk of n entries, two rejections and two findings, and returns
// its leaf and marks.
func (m *memory) add(id string, n int) (ledger.Leaf, map[string][]byte) {
	c := &memoryChunk{Chunk: audit.Chunk{
		ID: id, Version: 1, Opened: leafTime, Salt: []byte(id), Entries: uint32(n), Rejections: 2, Findings: 2, Roots: map[string][]byte{},
	}}
	tables := map[string]*ledger.Table{}
	for _, t := range ledger.Tables {
		tables[t] = ledger.NewTable(c.Salt)
	}
	for i := range n {
		e := *sample()
		e.Row, e.Offset, e.Chunk = uint32(i), uint64(100*i), id
		c.entries = append(c.entries, e)
		tables[ledger.TableEntries].Add(ledger.AppendEntry(nil, &e))
	}
	for i := range 2 {
		r, f := *sampleRejection(), *sampleFinding()
		r.Origin.Offset, f.ID, f.Chunk = uint64(100*i+50), fmt.Sprintf("AC-01-%d", i), id
		c.rejections, c.findings = append(c.rejections, r), append(c.findings, f)
		tables[ledger.TableRejections].Add(ledger.AppendRejection(nil, &r))
		tables[ledger.TableFindings].Add(ledger.AppendFinding(nil, &f))
	}
	for i := range 2 {
		k, o := *sampleCapsule(), *sampleOriginal()
		k.Month, o.Row, o.Origin.Offset = fmt.Sprintf("2026-0%d", i+1), uint32(i), uint64(100*i)
		c.capsules, c.originals = append(c.capsules, k), append(c.originals, o)
		tables[ledger.TableCapsules].Add(ledger.AppendCapsule(nil, &k))
		tables[ledger.TableOriginals].Add(ledger.AppendOriginal(nil, &o))
	}
	c.Capsules, c.Originals = 2, 2
	marks := map[string][]byte{}
	for name, t := range tables {
		c.Roots[name], marks[name] = t.Root(), t.Marks()
	}
	m.chunks = append(m.chunks, c)
	return ledger.ChunkLeaf(&c.Chunk, leafTime), marks
}
