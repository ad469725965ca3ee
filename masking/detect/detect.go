// Package detect finds personal data in text: contact, device, bank and
// government numbers, credentials, places, and values under telling names.
//
// One pass over the bytes looks only for what can begin or hold a value (an at
// sign, a digit, a colon, an equals sign); the run of digits or the word around
// that byte then decides, by its length and separators, which checks are worth
// asking. Percent-encoding, JSON and \x escapes and base64 are decoded and
// scanned again, up to maxLevels deep; places are always those in the text that
// was given. The package neither stores nor masks what it finds: a Match is
// only a place. The stage classify, package transform and the command detect
// call it.
package detect

import (
	"fmt"
	"slices"
	"strings"
)

// Match is one value that was found: s[Start:End] of what was scanned.
type Match struct {
	Kind       Kind
	Start, End int
	// Index is that of the kind in the detector's Kinds.
	Index uint8
	// Confidence is how sure the detector is, in percent.
	Confidence uint8
	// Validated says that more than the shape was checked: a checksum, or that
	// the address, the calling code or the token's header parses.
	Validated bool
}

// Options say what to look for. The zero value is every kind without hints.
type Options struct {
	// Only limits the detector to these kinds. Empty means all.
	Only []Kind
	// Off are kinds that are not looked for.
	Off []Kind
	// Countries (ISO 3166-1 alpha-2) say whose national telephone numbers,
	// plates, and numbers with a weak checksum count without a telling name
	// beside them.
	Countries []string
	// Rules are a rules file's detectors and allow-list. Optional.
	Rules *Rules
}

// Detector finds personal data. It is safe for concurrent use.
type Detector struct {
	on        bits
	index     [firstCustom]uint8 // of the kinds that are on, in Kinds
	countries country
	class     [256]class
	tails     tails
	custom    []custom
	allow     []allowance
	infos     map[Kind]Info
}

// New returns a detector. The faults it reports are unknown kinds and countries.
func New(o Options) (*Detector, error) {
	d := &Detector{infos: map[Kind]Info{}}
	if o.Rules != nil {
		d.custom, d.allow = slices.Clone(o.Rules.custom), o.Rules.allow
		o.Off, o.Countries = slices.Concat(o.Off, o.Rules.off), slices.Concat(o.Countries, o.Rules.countries)
	}
	for _, list := range [][]Kind{o.Only, o.Off} {
		for _, k := range list {
			if _, ok := idOf(k); !ok {
				return nil, fmt.Errorf("there is no detector %q; the detectors are %s", k, strings.Join(Names(), ", "))
			}
		}
	}
	for _, c := range o.Countries {
		bit, ok := countryOf(c)
		if !ok {
			return nil, fmt.Errorf("no detector knows the country %q; known: %s", c, strings.Join(Countries(), ", "))
		}
		d.countries |= bit
	}
	for k := noKind + 1; k < firstCustom; k++ {
		wanted := len(o.Only) == 0 || slices.Contains(o.Only, kinds[k].Kind)
		if wanted && !slices.Contains(o.Off, kinds[k].Kind) {
			d.on, d.index[k] = d.on|1<<k, uint8(len(d.infos))
			d.infos[kinds[k].Kind] = kinds[k]
		}
	}
	builtIn := len(d.infos)
	for i := range d.custom {
		d.custom[i].index = uint8(builtIn + i)
		d.infos[d.custom[i].info.Kind] = d.custom[i].info
	}
	d.class, d.tails = classes(d.on), tailsOf(d.on)
	return d, nil
}

// Default is the detector of every built-in kind, without hints.
func Default() *Detector {
	d, err := New(Options{})
	if err != nil {
		panic(err) // the zero options have nothing that could be wrong
	}
	return d
}

// Names are the built-in kinds.
func Names() []string {
	out := make([]string, 0, firstCustom)
	for k := noKind + 1; k < firstCustom; k++ {
		out = append(out, string(kinds[k].Kind))
	}
	return out
}

func idOf(k Kind) (id, bool) {
	for i := noKind + 1; i < firstCustom; i++ {
		if kinds[i].Kind == k {
			return i, true
		}
	}
	return noKind, false
}

// Scan appends the matches in s to dst, in the order of levels of encoding and
// then of their places. It keeps no reference to s.
func (d *Detector) Scan(dst []Match, s string) []Match { return d.Named(dst, "", s) }

// Named is Scan for the value of a field: its name counts as the word before
// the value.
func (d *Detector) Named(dst []Match, name, s string) []Match {
	base := len(dst)
	var sc scanner
	sc.begin(d, name, s, dst)
	sc.all()
	if !sc.encoded && sc.packed == 0 {
		return sc.dst
	}
	return d.inner(&sc, base)
}
