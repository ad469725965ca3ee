package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// InsertOtherFindings writes findings that come from no lines, such as those of
// windowed controls, once per batch name. They are a chunk of their own, in no
// partition, so that the ledger commits to them. The view findings shows the
// first that was detected under an id, so raising one again does no harm.
//
// A batch that was interrupted is finished when it comes again, with the rows and
// the salt that were stored first.
func (s *Store) InsertOtherFindings(ctx context.Context, batch string, fs []audit.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(batch))
	from := int64(binary.BigEndian.Uint64(sum[:]) >> 1) // a place of its own, by which it is looked up
	c := &audit.Chunk{ID: "findings-" + batch, Version: 1, Partition: NoPartition, From: from, Until: from, Opened: s.now().UTC(), Salt: make([]byte, ledger.SaltSize)}
	if _, err := rand.Read(c.Salt); err != nil {
		return err
	}
	if err := s.insertChunk(ctx, c, stateOpen, tokenOf(c, "chunk-"+stateOpen)); err != nil {
		return err
	}
	closed, err := s.announced(ctx, c)
	if err != nil || closed {
		return err
	}
	if err := s.InsertFindings(ctx, c, fs); err != nil {
		return err
	}
	table := ledger.NewTable(c.Salt)
	if err := s.EachFinding(ctx, c.ID, c.Version, func(f *audit.Finding) error {
		table.Add(ledger.AppendFinding(nil, f))
		return nil
	}); err != nil {
		return err
	}
	c.Findings = uint32(table.Count())
	c.Roots = map[string][]byte{ledger.TableFindings: table.Root()}
	c.RowMarks = map[string][]byte{ledger.TableFindings: table.Marks()}
	return s.CloseChunk(ctx, c)
}

// announced takes salt and opening from what was announced first, and says
// whether the chunk is closed already.
func (s *Store) announced(ctx context.Context, c *audit.Chunk) (closed bool, err error) {
	params := ofChunk(c.ID, c.Version)
	params["p"], params["from"] = fmt.Sprint(uint32(NoPartition)), fmt.Sprint(c.From)
	return closed, each(ctx, s, s.chunks, "FROM chunks WHERE partition = {p:UInt32} AND from = {from:UInt64} AND id = {chunk:String} AND version = {version:UInt16} ORDER BY at DESC",
		clickhouse.Parameters(params), func(r *chunk) error {
			closed = closed || r.state == stateClosed
			c.Salt, c.Opened = []byte(r.salt), r.c.Opened
			return nil
		})
}
