package services

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/pseudonym"
)

// The limits of looking people up. Each kind of act has its own lookUpsPerHour.
const (
	lookUpsPerHour = 30
	maxWhoCells    = 2_000_000
)

// lookUp records an act that looks a person up, or refuses it: whoever may look
// often enough can test guesses.
func (a *App) lookUp(ctx context.Context, act, object, reason string) error {
	done, err := a.registers.RecordAtMost(ctx, actorOf(ctx), act, object, reason, lookUpsPerHour, time.Hour)
	if err != nil || done {
		return err
	}
	return &text.Hint{
		Err:  fmt.Errorf("%d people were looked up within an hour: %w", lookUpsPerHour, registers.ErrLimit),
		Hint: "try again later; the trail names who asked for what",
	}
}

// Who implements Operations. The answer names lines of the directory, never
// what they hold.
func (a *App) Who(ctx context.Context, r WhoRequest) (*WhoResult, error) {
	id, err := pseudonym.KeyOf(r.Pseudonym)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "copy principal_id of a finding or an entry: v1.KEY.TEXT"}
	}
	if r.Reason == "" {
		return nil, &text.Hint{Err: errors.New("looking a person up needs a reason"), Hint: "--reason TICKET; it goes into the trail"}
	}
	if err := a.lookUp(ctx, "who", r.Pseudonym, r.Reason); err != nil {
		return nil, err
	}
	prf, kind, err := a.principalKey(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &WhoResult{}
	for _, p := range a.datamap.Principals {
		if !strings.HasSuffix(p.Match, "*") && pseudonym.Is(r.Pseudonym, prf, kind, plain.New(p.Match)) {
			out.Declared = append(out.Declared, p.Label)
		}
		out.Compared++
	}
	return out, matchDirectory(out, r, prf, kind)
}

// principalKey is the key that made a principal's pseudonym, in use or retired.
func (a *App) principalKey(ctx context.Context, id string) (*keys.PRF, string, error) {
	k, wrapped, err := a.registers.DayKeyByID(ctx, id)
	if errors.Is(err, registers.ErrNotFound) {
		return nil, "", &text.Hint{
			Err:  fmt.Errorf("key %.10q does not exist any more, so nobody can tell whom the pseudonym stands for", id),
			Hint: "keys live for keys.horizon after their day or year; tallystick keys list shows those that exist",
		}
	}
	if err != nil {
		return nil, "", err
	}
	kind := masking.KindUser
	if k.Domain == masking.DomainPrincipals {
		kind = "principal"
	}
	prf, err := a.dayKeys.Unwrap(k.Domain, k.Kind, k.Period, k.ID, wrapped)
	return prf, kind, err
}

// matchDirectory compares every cell of the directory.
func matchDirectory(out *WhoResult, r WhoRequest, prf *keys.PRF, kind string) error {
	d := csv.NewReader(bytes.NewReader(r.Directory))
	d.FieldsPerRecord, d.LazyQuotes, d.ReuseRecord = -1, true, true
	for {
		cells, err := d.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // the reader's error names a place, not a value
			return &text.Hint{Err: fmt.Errorf("failed to read the directory: %w", err), Hint: "give a CSV file with commas"}
		}
		line, _ := d.FieldPos(0)
		for _, c := range cells {
			if out.Compared++; out.Compared > maxWhoCells {
				return &text.Hint{Err: fmt.Errorf("the directory has more than %d values", maxWhoCells), Hint: "give only the columns with the names that people sign in with"}
			}
			if pseudonym.Is(r.Pseudonym, prf, kind, plain.New(c)) {
				out.Lines = append(out.Lines, line)
				break
			}
		}
	}
}
