package retention

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

// Holds knows the legal holds in force. Whoever removes anything of the record,
// by age or because a person asks for it, asks first, each time.
type Holds interface {
	// ActiveHolds returns the holds that are not lifted, oldest first.
	ActiveHolds(ctx context.Context) ([]Hold, error)
}

// Hold keeps parts of the record from being removed until it is lifted. What is
// empty restricts nothing: a hold with a source and a class keeps that class of
// that source, one with nothing keeps everything.
type Hold struct {
	ID     int64
	Reason string // why: the matter's number. No personal value.
	By     string
	At     time.Time

	Source string
	Class  Class // a vault class too: originals:identity. Originals means all of them.
	// From and Until, exclusive, bound the times of the lines that are held.
	From, Until time.Time
	// Subjects are pseudonyms, as entries show them. A person has another one
	// each day, so a hold on a person names all that are known.
	Subjects []string
	// Request is the id of a privacy request that is not to be carried out. The
	// record does not know whose lines a request is about, so a hold of a request
	// keeps nothing from its age.
	Request string

	LiftedBy  string // "" while the hold is in force
	LiftedAt  time.Time
	LiftedFor string // why
}

// Part is what is about to be removed. Zero fields are unknown, and what is
// unknown may be held.
type Part struct {
	Class       Class
	Sources     []string  // of its lines
	First, Last time.Time // of its lines
	// Subjects are the pseudonyms in it, as far as holds name them. Holds on
	// subjects keep nothing else.
	Subjects []string
	Request  string // that asks for the removal, "" for none
}

// Covers reports whether the hold keeps a part, or anything in it.
func (h *Hold) Covers(p Part) bool {
	switch {
	case h.LiftedBy != "":
		return false
	case h.Request != "" && h.Request != p.Request:
		return false
	case h.Source != "" && len(p.Sources) > 0 && !slices.Contains(p.Sources, h.Source):
		return false
	case h.Class != "" && p.Class != "" && !h.Class.holds(p.Class):
		return false
	case !h.From.IsZero() && !p.Last.IsZero() && p.Last.Before(h.From):
		return false
	case !h.Until.IsZero() && !p.First.IsZero() && !p.First.Before(h.Until):
		return false
	case len(h.Subjects) > 0 && !slices.ContainsFunc(h.Subjects, func(s string) bool { return slices.Contains(p.Subjects, s) }):
		return false
	}
	return true
}

// Covering returns the first hold that keeps a part, nil if none does.
func Covering(holds []Hold, p Part) *Hold {
	for i := range holds {
		if holds[i].Covers(p) {
			return &holds[i]
		}
	}
	return nil
}

// Subjects are all pseudonyms that holds name.
func Subjects(holds []Hold) []string {
	var out []string
	for _, h := range holds {
		out = append(out, h.Subjects...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const (
	maxReason   = 500
	maxSubjects = 1000
)

var (
	pseudonym = regexp.MustCompile(`^v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	requestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// Validate says what a new hold lacks, without its values.
func (h *Hold) Validate() error {
	switch {
	case h.Reason == "" || !utf8.ValidString(h.Reason) || utf8.RuneCountInString(h.Reason) > maxReason:
		return errors.New("a hold needs a reason of up to 500 characters")
	case h.By == "":
		return errors.New("a hold needs who makes it")
	case h.Class != "" && !h.Class.Valid():
		return errors.New("a hold's class is entries, findings, rejections, originals or originals:CLASS")
	case !h.From.IsZero() && !h.Until.IsZero() && !h.Until.After(h.From):
		return errors.New("a hold ends after it begins")
	case len(h.Subjects) > maxSubjects:
		return errors.New("a hold names up to 1000 pseudonyms")
	case h.Request != "" && !requestID.MatchString(h.Request):
		return errors.New("a hold names a request by its id in the register")
	}
	for _, s := range h.Subjects {
		if !pseudonym.MatchString(s) {
			return errors.New("a hold names subjects by their pseudonyms: v1.KEY.TEXT, as entries show them")
		}
	}
	return nil
}
