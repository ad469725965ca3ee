package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/ledger/witness"
)

// panel are the witnesses of the configuration.
type panel []*witness.Client

func newPanel(cfg []WitnessConfig) (panel, error) {
	var out panel
	for _, w := range cfg {
		c, err := witness.NewClient(w.Name, w.URL, w.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// round is what the witnesses said to one checkpoint.
type round struct {
	note   []byte   // the checkpoint with the signatures
	by     []string // who signed
	silent []string // who did not answer, or with nothing of use
	wrong  []*witness.Contradiction
	errs   []error // of the silent
}

// ask asks each witness for its signature.
func (p panel) ask(ctx context.Context, files *ledger.Reader, cp ledger.Checkpoint) *round {
	r := &round{note: cp.Raw}
	if cp.Size == 0 {
		return r
	}
	for _, w := range p {
		note, err := w.Cosign(ctx, files, cp, r.note)
		var no *witness.Contradiction
		switch {
		case err == nil:
			r.note, r.by = note, append(r.by, w.Name)
		case errors.As(err, &no):
			r.wrong = append(r.wrong, no)
		default:
			r.silent, r.errs = append(r.silent, w.Name), append(r.errs, err)
		}
	}
	return r
}

// fresh is how old the witnesses' newest signature may be while the log grows.
const fresh = time.Hour

// standing are the witnesses that stand behind the log at cp: those that signed
// it, or lately a checkpoint before it.
func (p panel) standing(files *ledger.Reader, key string, cp ledger.Checkpoint, now time.Time) ([]string, error) {
	if len(p) == 0 {
		return nil, nil
	}
	known := make([]*ledger.Witness, len(p))
	for i, w := range p {
		known[i] = w.Witness
	}
	c, err := files.Cosigned(key, known)
	if err != nil || c == nil || c.Size > cp.Size {
		return nil, err
	}
	var out []string
	for _, s := range c.By {
		if c.Size == cp.Size || now.Sub(s.Time) < fresh {
			out = append(out, s.Witness)
		}
	}
	return out, nil
}

// verify recomputes the record and asks the witnesses about the log that it
// found; the round is nil if there is none to ask about.
func (p panel) verify(ctx context.Context, src ledger.Source, files *ledger.Reader, o ledger.Options, progress func(done, total uint64)) (*ledger.Result, *round, error) {
	res, err := ledger.Verify(ctx, src, files, o, progress)
	if err != nil || len(res.Checkpoint.Raw) == 0 {
		return res, nil, err
	}
	r := p.ask(ctx, files, res.Checkpoint)
	res.Witnesses, res.Silent = r.by, r.silent
	for _, no := range r.wrong {
		res.Problems = append(res.Problems, ledger.Problem{Kind: no.Kind, Size: no.Size, Other: no.Other})
	}
	res.Witnessed = res.Witnessed || len(r.by) > 0
	return res, r, nil
}
