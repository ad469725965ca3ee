package transform

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
)

// maxClasses bounds the memory of an assessment.
const maxClasses = 5_000_000

// Assessment counts how many masked lines share the values of some fields.
// Lines of one class can't be told apart by those.
type Assessment struct {
	paths   [][]string
	seed    maphash.Seed
	classes map[uint64]int // by a hash that ends with the process
	missing int
}

// NewAssessment takes the fields' paths, such as user.born.
func NewAssessment(fields []string) *Assessment {
	a := &Assessment{seed: maphash.MakeSeed(), classes: map[uint64]int{}}
	for _, f := range fields {
		a.paths = append(a.paths, strings.Split(f, "."))
	}
	return a
}

// Add counts a masked line.
func (a *Assessment) Add(line []byte) error {
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		a.missing++
		return nil
	}
	var h maphash.Hash
	h.SetSeed(a.seed)
	for _, path := range a.paths {
		b, err := json.Marshal(at(object, path))
		if err != nil {
			return err
		}
		_, _ = h.Write(append(b, 0))
	}
	if a.classes[h.Sum64()]++; len(a.classes) > maxClasses {
		return errors.New("the fields have more than 5,000,000 combinations of values; name fewer, or coarser ones")
	}
	return nil
}

// at is the value at a path; of an array those of its elements.
func at(v any, path []string) any {
	if len(path) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		return at(v[path[0]], path[1:])
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = at(v[i], path)
		}
		return out
	}
	return nil
}

// Anonymity is the result of an assessment.
type Anonymity struct {
	Lines, Classes int
	// K is the size of the smallest class: every line is one of at least K.
	K int
	// Alone, Under5 and Under10 are lines in classes of that size.
	Alone, Under5, Under10 int
	// Missing are lines that were no JSON object.
	Missing int
}

// Result is the assessment so far.
func (a *Assessment) Result() Anonymity {
	r := Anonymity{Classes: len(a.classes), Missing: a.missing}
	sizes := make([]int, 0, len(a.classes))
	for _, n := range a.classes {
		sizes = append(sizes, n)
		r.Lines += n
		for _, of := range []struct {
			under int
			count *int
		}{{2, &r.Alone}, {5, &r.Under5}, {10, &r.Under10}} {
			if n < of.under {
				*of.count += n
			}
		}
	}
	if len(sizes) > 0 {
		r.K = slices.Min(sizes)
	}
	return r
}
