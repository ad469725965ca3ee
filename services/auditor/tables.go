package auditor

import (
	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// tables hashes the rows of a chunk for its leaf.
type tables struct {
	tables  map[string]*ledger.Table
	scratch []byte
}

func newTables(c *audit.Chunk) *tables {
	t := &tables{tables: map[string]*ledger.Table{}}
	for _, name := range ledger.Tables {
		t.tables[name] = ledger.NewTable(c.Salt)
	}
	return t
}

func (t *tables) add(table string, row []byte) error {
	t.scratch = row
	t.tables[table].Add(row)
	return nil
}

func (t *tables) entry(e *audit.Entry) error {
	return t.add(ledger.TableEntries, ledger.AppendEntry(t.scratch[:0], e))
}

func (t *tables) rejection(r *audit.Rejection) error {
	return t.add(ledger.TableRejections, ledger.AppendRejection(t.scratch[:0], r))
}

func (t *tables) finding(f *audit.Finding) error {
	return t.add(ledger.TableFindings, ledger.AppendFinding(t.scratch[:0], f))
}

func (t *tables) capsule(c *audit.Capsule) error {
	return t.add(ledger.TableCapsules, ledger.AppendCapsule(t.scratch[:0], c))
}

func (t *tables) original(o *audit.Original) error {
	return t.add(ledger.TableOriginals, ledger.AppendOriginal(t.scratch[:0], o))
}

// set gives the chunk its counts, roots and row marks. Tables of originals that
// have no row are left out, so that a chunk without any has the leaf that it
// would have without a vault.
func (t *tables) set(c *audit.Chunk) {
	c.Roots, c.RowMarks = map[string][]byte{}, map[string][]byte{}
	for name, n := range map[string]*uint32{
		ledger.TableEntries: &c.Entries, ledger.TableRejections: &c.Rejections, ledger.TableFindings: &c.Findings,
		ledger.TableCapsules: &c.Capsules, ledger.TableOriginals: &c.Originals,
	} {
		table := t.tables[name]
		if *n = uint32(table.Count()); *n == 0 && (name == ledger.TableCapsules || name == ledger.TableOriginals) {
			continue
		}
		c.Roots[name] = table.Root()
		c.RowMarks[name] = append([]byte(nil), table.Marks()...)
	}
}
