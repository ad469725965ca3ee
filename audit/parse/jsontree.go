package parse

import (
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// jsonTree parses lines that are one JSON object whose values have fixed
// places: a path of keys for each field. The first element stands for an array.
// It also takes lines as container runtimes and syslog wrap them. It is
// read-only once built.
type jsonTree struct {
	name     string
	protocol string
	timeHint string
	needs    string // a key that a line has to have, for the rejection
	root     jsonNode
	slots    []slot // by index of a node
	loc      *time.Location
	carries  audit.Carries
	// finish sets what depends on several values; nil if nothing does. False
	// says that it rejected the line.
	finish func(b *audit.Batch, i int, g *values, raw *jsonRaw) bool
	// noted are places that finish looks at, see jsonRaw.
	noted map[string]int
	walks sync.Pool // of *jsonWalk
}

// jsonNode is a key on the way to a value.
type jsonNode struct {
	kids map[string]*jsonNode
	fold []foldedKid // keys in any case of letters, for header names
	slot int         // index into slots, -1 for none
	also int         // a second one: a locator of the configuration
	note int         // index into jsonRaw, -1 for none
}

// foldedKid is a key whose case of letters does not matter.
type foldedKid struct {
	key  string
	node *jsonNode
}

// maxNotes bounds the noted places of a format.
const maxNotes = 32

// jsonRaw holds the un-escaped values of noted places; nested ones as they
// stand.
type jsonRaw [maxNotes]string

func newJSONTree(name string, o options) *jsonTree {
	return &jsonTree{name: name, loc: o.loc, root: jsonNode{slot: -1, also: -1, note: -1}, timeHint: "a time in ISO 8601 or a number since 1970", noted: map[string]int{}}
}

// node finds or makes the node of a path of keys with dots between them. A
// backslash before a dot makes it a part of the key; a key that begins with ~
// is one in any case.
func (t *jsonTree) node(path string) *jsonNode {
	n := &t.root
	for path != "" {
		var key string
		key, path = pathKey(path)
		if rest, ok := strings.CutPrefix(key, "~"); ok {
			next := n.folded(rest)
			if next == nil {
				next = &jsonNode{slot: -1, also: -1, note: -1}
				n.fold = append(n.fold, foldedKid{key: rest, node: next})
			}
			n = next
			continue
		}
		if n.kids == nil {
			n.kids = map[string]*jsonNode{}
		}
		next := n.kids[key]
		if next == nil {
			next = &jsonNode{slot: -1, also: -1, note: -1}
			n.kids[key] = next
		}
		n = next
	}
	return n
}

// folded finds a key in any case of letters.
func (n *jsonNode) folded(key string) *jsonNode {
	for i := range n.fold {
		if len(n.fold[i].key) == len(key) && strings.EqualFold(n.fold[i].key, key) {
			return n.fold[i].node
		}
	}
	return nil
}

// pathKey takes the first key off a path.
func pathKey(path string) (key, rest string) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			if i++; i < len(path) {
				b.WriteByte(path[i])
			}
		case '.':
			return b.String(), path[i+1:]
		default:
			b.WriteByte(path[i])
		}
	}
	return b.String(), ""
}

// at says what the value at a path fills. It may fill two things.
func (t *jsonTree) at(path string, v variable) {
	n := t.node(path)
	t.slots = append(t.slots, slot{variable: v, name: path})
	if n.slot < 0 {
		n.slot = len(t.slots) - 1
	} else {
		n.also = len(t.slots) - 1
	}
}

// see notes the value at a path for finish.
func (t *jsonTree) see(path string) int {
	n := t.node(path)
	if n.note < 0 {
		n.note = len(t.noted)
		t.noted[path] = n.note
	}
	return n.note
}

// locate gives the locators of the configuration their places: field:PATH, and
// header:NAME after the prefix of request headers, in any case of letters. It then works
// out what the format can show.
func (t *jsonTree) locate(o options, headers string) {
	locators := append([]string{o.purpose}, o.principals...)
	for _, l := range locators {
		if h, ok := strings.CutPrefix(l, "header:"); ok && headers != "" {
			t.at(headers+strings.ReplaceAll(h, ".", `\.`), variable{field: fNamed, client: true, fieldName: "header:" + strings.ToLower(h)})
		} else if f, ok := strings.CutPrefix(l, "field:"); ok {
			t.at(f, variable{field: fNamed, client: true, fieldName: f})
		}
	}
	var fields [numFields]bool
	has := map[string]bool{}
	for _, s := range t.slots {
		fields[s.field] = true
		has[s.fieldName] = true
	}
	t.carries = carriesOf(o, &fields, has)
}

// jsonWalk is the state of one line.
type jsonWalk struct {
	t     *jsonTree
	e     *audit.Event
	g     values
	raw   jsonRaw
	seen  [4]uint64 // bit per slot
	where int       // offset of the object in the line
	bad   int       // 1-based column of a bad value, 0 if there is none
	want  string
}

// Parse implements Parser.
func (t *jsonTree) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, t.name, true)
	if !ok {
		return
	}
	body, offset := jsonBody(line)
	t.parse(b, i, e, body, offset, values{loc: t.loc})
}

// jsonBody finds the JSON object of a line.
func jsonBody(line string) (body string, offset int) {
	if strings.HasPrefix(line, `{"log":"`) {
		if inner, ok := dockerLine(line); ok {
			return inner, 0
		}
	}
	if !strings.HasPrefix(line, "{") {
		if n := carrier(line); n > 0 {
			return line[n:], n
		}
	}
	return line, 0
}

// parse parses the object that body is. g has what is known from outside it.
func (t *jsonTree) parse(b *audit.Batch, i int, e *audit.Event, body string, offset int, g values) {
	e.Protocol, e.Carries = t.protocol, t.carries
	w, _ := t.walks.Get().(*jsonWalk)
	if w == nil {
		w = new(jsonWalk)
	}
	*w = jsonWalk{t: t, e: e, g: g, where: offset}
	defer func() {
		*w = jsonWalk{} // nothing clear stays behind
		t.walks.Put(w)
	}()
	j := jsonScanner{s: body, clean: !hasControl(body)}
	if !j.open() {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a JSON object")
		return
	}
	if !w.object(&j, &t.root, 0) {
		if w.bad == 0 {
			w.bad, w.want = offset+min(j.pos, len(body))+1, "a member of a JSON object"
		}
		b.Reject(i, audit.ReasonSyntax, w.bad, w.want)
		return
	}
	if j.space(); j.pos != len(body) {
		b.Reject(i, audit.ReasonSyntax, offset+j.pos+1, "the end of the line")
		return
	}
	if w.seen == [4]uint64{} {
		b.Reject(i, audit.ReasonSyntax, offset+1, "keys of the format "+t.name+t.needs)
		return
	}
	if t.finish != nil && !t.finish(b, i, &w.g, &w.raw) {
		return
	}
	w.g.timeAt = max(w.g.timeAt, offset+1)
	w.g.finish(b, i, t.timeHint)
}

// object reads the members of an object.
func (w *jsonWalk) object(j *jsonScanner, n *jsonNode, depth int) bool {
	for first := true; ; first = false {
		start := j.pos
		key, more, ok := j.key(first)
		if !ok {
			return false
		}
		if !more {
			return true
		}
		kid := n.kids[key]
		if kid == nil && n.fold != nil {
			kid = n.folded(key)
		}
		if kid != nil && kid.note < 0 && (kid.kids != nil || kid.fold != nil) && depth < jsonDepth && j.open() {
			if !w.object(j, kid, depth+1) {
				return false
			}
			continue
		}
		value, kind, ok := j.value(depth)
		if !ok {
			return false
		}
		if kid != nil && !w.value(kid, value, kind, depth) {
			if w.bad == 0 {
				w.bad, w.want = w.where+1, "a JSON value"
				if depth == 0 {
					w.bad = w.where + start + 1
				}
			}
			return false
		}
	}
}

// value handles the value of a key that means something.
func (w *jsonWalk) value(n *jsonNode, value string, kind jsonKind, depth int) bool {
	if kind == jsonNull || depth > jsonDepth {
		return true
	}
	if kind == jsonNested && value[0] == '[' && (n.slot >= 0 || n.kids != nil || n.fold != nil) {
		if n.note >= 0 {
			w.raw[n.note] = value
		}
		a := jsonScanner{s: value, pos: 1}
		a.space()
		if a.pos >= len(value) || value[a.pos] == ']' {
			return true
		}
		first, firstKind, ok := a.value(1)
		return ok && w.value(n, first, firstKind, depth+1)
	}
	if kind == jsonNested {
		if n.note >= 0 && w.raw[n.note] == "" {
			w.raw[n.note] = value
		}
		if n.kids == nil && n.fold == nil || value[0] != '{' {
			return true
		}
		j := jsonScanner{s: value}
		j.open()
		return w.object(&j, n, depth+1)
	}
	if kind == jsonString {
		var ok bool
		if value, ok = unescapeJSON(value); !ok {
			return false
		}
	}
	if n.note >= 0 {
		w.raw[n.note] = value
	}
	if n.slot < 0 {
		return true
	}
	if w.seen[n.slot>>6&3]&(1<<(n.slot&63)) != 0 {
		// A server writes each key once: someone else wrote this line.
		w.e.Integrity = audit.IntegrityAmbiguous
		return true
	}
	w.seen[n.slot>>6&3] |= 1 << (n.slot & 63)
	if value == "" || value == "-" {
		return true
	}
	if v := &w.t.slots[n.slot]; !w.g.set(w.e, v, value) {
		w.e.ParseStatus = audit.ParsePartial // the access is evidence without it too
	}
	if n.also >= 0 {
		w.g.set(w.e, &w.t.slots[n.also], value)
	}
	return true
}
