package tagpdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// file is the finished file being written: fpdf's objects with changes, then
// the structure tree in object streams, then a cross-reference stream.
type file struct {
	d    *Doc
	src  []byte
	xref int // offset of fpdf's cross-reference table in src
	objs []object
	next int // the next free object number
	body map[int]string
	out  bytes.Buffer
	at   map[int]place
}

type object struct{ num, off, end int }

type place struct {
	kind byte // 1: at an offset, 2: in an object stream
	a, b int
}

var startXref = regexp.MustCompile(`startxref\n(\d+)\n%%EOF\s*$`)

// pageObject is fpdf's numbering: page n is object 1+2n.
func pageObject(page int) int { return 1 + 2*page }

func (d *Doc) finish(src []byte) ([]byte, error) {
	f := &file{d: d, src: src, body: map[int]string{}, at: map[int]place{}}
	if err := f.scan(); err != nil {
		return nil, err
	}
	root, parents := f.alloc(), f.alloc()
	f.number(d.root)
	f.element(d.root, root)
	f.body[root] = fmt.Sprintf("<</Type/StructTreeRoot/K %d 0 R/ParentTree %d 0 R/ParentTreeNextKey %d>>", d.root.num, parents, d.PageCount()+1)
	f.body[parents] = f.parentTree()
	catalog, info, err := f.copyObjects(root)
	if err != nil {
		return nil, err
	}
	f.streams()
	f.trailer(catalog, info)
	return f.out.Bytes(), nil
}

func (f *file) alloc() int { f.next++; return f.next - 1 }

// scan reads fpdf's cross-reference table.
func (f *file) scan() error {
	m := startXref.FindSubmatch(f.src)
	if m == nil {
		return errors.New("fpdf wrote no startxref")
	}
	f.xref, _ = strconv.Atoi(string(m[1]))
	if _, err := fmt.Sscanf(string(f.src[f.xref:f.xref+32]), "xref\n0 %d\n", &f.next); err != nil {
		return fmt.Errorf("failed to read fpdf's cross-reference table: %w", err)
	}
	lines := bytes.Split(f.src[f.xref:], []byte("\n"))
	for i := 1; i < f.next; i++ {
		off, err := strconv.Atoi(string(lines[2+i][:10]))
		if err != nil {
			return fmt.Errorf("failed to read fpdf's cross-reference table: %w", err)
		}
		f.objs = append(f.objs, object{num: i, off: off})
	}
	slices.SortFunc(f.objs, func(a, b object) int { return a.off - b.off })
	for i := range f.objs {
		f.objs[i].end = f.xref
		if i+1 < len(f.objs) {
			f.objs[i].end = f.objs[i+1].off
		}
	}
	return nil
}

func (f *file) number(e *element) {
	e.num = f.alloc()
	for _, k := range e.kids {
		if c, ok := k.(*element); ok {
			f.number(c)
		}
	}
}

// element writes a structure element and everything below it.
func (f *file) element(e *element, parent int) {
	var b strings.Builder
	fmt.Fprintf(&b, "<</Type/StructElem/S/%s/P %d 0 R%s", e.tag, parent, e.extra)
	page := 0
	for _, k := range e.kids {
		if c, ok := k.(content); ok {
			page = c.page
			break
		}
	}
	if page > 0 {
		fmt.Fprintf(&b, "/Pg %d 0 R", pageObject(page))
	}
	if len(e.kids) == 0 {
		f.body[e.num] = b.String() + ">>"
		return
	}
	b.WriteString("/K[")
	for i, k := range e.kids {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch x := k.(type) {
		case *element:
			fmt.Fprintf(&b, "%d 0 R", x.num)
			f.element(x, e.num)
		case content:
			if x.page == page {
				fmt.Fprintf(&b, "%d", x.id)
			} else {
				fmt.Fprintf(&b, "<</Type/MCR/Pg %d 0 R/MCID %d>>", pageObject(x.page), x.id)
			}
		}
	}
	f.body[e.num] = b.String() + "]>>"
}

// parentTree leads from each page's marked content to its element.
func (f *file) parentTree() string {
	var b strings.Builder
	b.WriteString("<</Nums[")
	for page := 1; page <= f.d.PageCount(); page++ {
		fmt.Fprintf(&b, "%d[", page-1)
		for i, e := range f.d.byPage[page] {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%d 0 R", e.num)
		}
		b.WriteString("]")
	}
	return b.String() + "]>>"
}

// copyObjects writes fpdf's objects with what they lack and returns the numbers
// of the catalogue and the information dictionary.
func (f *file) copyObjects(root int) (catalog, info int, err error) {
	f.out.WriteString("%PDF-1.7\n%\xc2\xb5\xc2\xb6\n")
	trailer := string(f.src[f.xref:])
	i := strings.Index(trailer, "/Root")
	if i < 0 {
		return 0, 0, errors.New("fpdf wrote no catalogue")
	}
	if _, err := fmt.Sscanf(trailer[i:], "/Root %d", &catalog); err != nil {
		return 0, 0, fmt.Errorf("failed to find the catalogue: %w", err)
	}
	for _, o := range f.objs {
		b := f.src[o.off:o.end]
		head := b[:min(len(b), 60)]
		switch {
		case bytes.Contains(head, []byte("<</Type /Page\n")):
			b = bytes.Replace(b, []byte("<</Type /Page\n"), fmt.Appendf(nil, "<</Type /Page\n/StructParents %d\n/Tabs /S\n", (o.num-1)/2-1), 1)
		case o.num == catalog:
			b = bytes.Replace(b, []byte("/Type /Catalog\n"), fmt.Appendf(nil, "/Type /Catalog\n/MarkInfo <</Marked true>>\n/StructTreeRoot %d 0 R\n/ViewerPreferences <</DisplayDocTitle true>>\n", root), 1)
		case len(b) < 8192 && bytes.Contains(b, []byte("\n/CreationDate ")):
			info = o.num // fpdf's trailer names the colour profile instead
		case bytes.Contains(b, []byte("\n<0000> <FFFF> <0000>\n")):
			z := deflate([]byte(toUnicode()))
			b = fmt.Appendf(nil, "%d 0 obj\n<</Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream\nendobj\n", o.num, len(z), z)
		}
		f.emit(o.num, b)
	}
	if info == 0 {
		return 0, 0, errors.New("fpdf wrote no document information")
	}
	return catalog, info, nil
}

func (f *file) emit(num int, b []byte) {
	f.at[num] = place{1, f.out.Len(), 0}
	f.out.Write(b)
}

// streams writes the new objects, 200 to a compressed object stream.
func (f *file) streams() {
	nums := make([]int, 0, len(f.body))
	for n := range f.body {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	for part := range slices.Chunk(nums, 200) {
		var head, data strings.Builder
		stream := f.alloc()
		for i, n := range part {
			fmt.Fprintf(&head, "%d %d ", n, data.Len())
			data.WriteString(f.body[n] + "\n")
			f.at[n] = place{2, stream, i}
		}
		z := deflate([]byte(head.String() + data.String()))
		f.emit(stream, fmt.Appendf(nil, "%d 0 obj\n<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n", stream, len(part), head.Len(), len(z), z))
	}
}

// trailer writes the cross-reference stream. The file's id is a hash of its content.
func (f *file) trailer(catalog, info int) {
	n, pos := f.alloc(), f.out.Len()
	f.at[n] = place{1, pos, 0}
	x := []byte{0, 0, 0, 0, 0, 0xff, 0xff}
	for i := 1; i < f.next; i++ {
		p := f.at[i]
		x = append(x, p.kind, byte(p.a>>24), byte(p.a>>16), byte(p.a>>8), byte(p.a), byte(p.b>>8), byte(p.b))
	}
	id := sha256.Sum256(f.out.Bytes())
	z := deflate(x)
	fmt.Fprintf(&f.out, "%d 0 obj\n<</Type/XRef/Size %d/W[1 4 2]/Root %d 0 R/Info %d 0 R/ID[<%x><%x>]/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		n, f.next, catalog, info, id[:16], id[:16], len(z), z, pos)
}

func deflate(b []byte) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

// toUnicode maps character ids to the UTF-16 code that they are, as 256 ranges:
// a range may not cross the high byte.
func toUnicode() string {
	var b strings.Builder
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe)/Ordering (UCS)/Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	for i := 0; i < 256; i += 64 {
		b.WriteString("64 beginbfrange\n")
		for j := i; j < i+64; j++ {
			fmt.Fprintf(&b, "<%02X00> <%02XFF> <%02X00>\n", j, j, j)
		}
		b.WriteString("endbfrange\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.String()
}
