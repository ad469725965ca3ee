// Package tagpdf makes tagged PDF files with fpdf: PDF/A-2a (ISO 19005-2) and
// PDF/UA-1 (ISO 14289-1) in one file, with the same bytes for the same calls.
//
// fpdf draws; this package writes marked content around what is drawn and, in
// Output, adds the structure tree and mends what fpdf leaves wrong: the /Info
// reference with an output intent, an illegal ToUnicode range, the missing /ID.
// It breaks no pages: a page break inside marked content is an error, so the
// layout has to break before. It knows nothing of reports; reports/render calls it.
package tagpdf

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"

	"github.com/tallystick/tallystick/templates"
)

// Font is the family that every text is set in, with the styles "" and "B".
const Font = "dj"

// Meta describes the document.
type Meta struct {
	Title    string
	Author   string
	Language string    // BCP 47
	Created  time.Time // goes into the file
	Producer string
}

// Doc is a document being drawn. Drawing uses the methods of fpdf inside Mark,
// Leaf or Artifact only.
type Doc struct {
	*fpdf.Fpdf
	root, cur *element
	byPage    map[int][]*element // page -> element per marked content id
	glyphs    *sfnt.Font
	known     map[rune]bool
}

type element struct {
	tag, extra string
	parent     *element
	kids       []any // *element or content
	num        int
}

type content struct{ page, id int }

// New starts an A4 document in millimetres with automatic page breaks off.
func New(m Meta) (*Doc, error) {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetCatalogSort(true)
	p.SetCreationDate(m.Created.UTC())
	p.SetModificationDate(m.Created.UTC())
	p.SetProducer(m.Producer, true)
	p.SetTitle(m.Title, true)
	p.SetAuthor(m.Author, true)
	p.SetLang(m.Language)
	p.SetXmpMetadata(xmp(m))
	p.AddOutputIntent(fpdf.OutputIntentType{SubtypeIdent: fpdf.OutputIntent_GTS_PDFA1, OutputConditionIdentifier: "sRGB", Info: "sRGB IEC61966-2.1", ICCProfile: srgb()})
	p.SetAutoPageBreak(false, 0)
	d := &Doc{Fpdf: p, root: &element{tag: "Document"}, byPage: map[int][]*element{}, known: map[rune]bool{}}
	d.cur = d.root
	for _, f := range []struct{ style, file string }{{"", "DejaVuSans.ttf"}, {"B", "DejaVuSans-Bold.ttf"}} {
		b, err := templates.Reports.ReadFile("reports/fonts/" + f.file)
		if err != nil {
			return nil, err
		}
		p.AddUTF8FontFromBytes(Font, f.style, b)
		if f.style == "" {
			if d.glyphs, err = sfnt.Parse(b); err != nil {
				return nil, fmt.Errorf("failed to read the font: %w", err)
			}
		}
	}
	return d, p.Error()
}

// In opens a structure element for the duration of f. extra is raw PDF, for
// example "/A<</O/Table/Scope/Column>>".
func (d *Doc) In(tag, extra string, f func()) {
	e := &element{tag: tag, extra: extra, parent: d.cur}
	d.cur.kids = append(d.cur.kids, e)
	d.cur = e
	f()
	d.cur = e.parent
}

// Mark draws f as content of the current element. It must not break the page.
func (d *Doc) Mark(f func()) {
	page := d.PageNo()
	id := len(d.byPage[page])
	d.byPage[page] = append(d.byPage[page], d.cur)
	d.cur.kids = append(d.cur.kids, content{page, id})
	d.RawWriteStr(fmt.Sprintf("/%s <</MCID %d>> BDC", d.cur.tag, id))
	f()
	d.RawWriteStr("EMC")
	if d.PageNo() != page {
		d.SetErrorf("page break inside marked content")
	}
}

// Leaf is In with one Mark.
func (d *Doc) Leaf(tag, extra string, f func()) { d.In(tag, extra, func() { d.Mark(f) }) }

// Artifact draws what screen readers skip: rules, page numbers, repeated heads.
func (d *Doc) Artifact(f func()) {
	d.RawWriteStr("/Artifact BMC")
	f()
	d.RawWriteStr("EMC")
}

// Clean makes s safe to draw: valid UTF-8, no control characters, only runes
// that the font has. Others become U+FFFD. fpdf panics on runes above U+FFFF
// and drops missing glyphs in silence.
func (d *Doc) Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		ok, seen := d.known[r]
		if !seen {
			var buf sfnt.Buffer
			g, err := d.glyphs.GlyphIndex(&buf, r)
			ok = r <= 0xFFFF && err == nil && g != 0
			d.known[r] = ok
		}
		if !ok {
			return 0xFFFD
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Output finishes the file.
func (d *Doc) Output() ([]byte, error) {
	var b bytes.Buffer
	if err := d.Fpdf.Output(&b); err != nil {
		return nil, err
	}
	return d.finish(b.Bytes())
}

// String is s as a PDF text string (UTF-16BE, hexadecimal).
func String(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String() + ">"
}

// xmp is the metadata stream: the document information again, and the claims
// of conformance with the extension schema that PDF/A asks for them.
func xmp(m Meta) []byte {
	esc := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	date := m.Created.UTC().Format(time.RFC3339)
	return []byte(`<?xpacket begin="` + "\uFEFF" + `" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">` + esc(m.Title) + `</rdf:li></rdf:Alt></dc:title><dc:creator><rdf:Seq><rdf:li>` + esc(m.Author) + `</rdf:li></rdf:Seq></dc:creator><dc:language><rdf:Bag><rdf:li>` + esc(m.Language) + `</rdf:li></rdf:Bag></dc:language></rdf:Description>
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreateDate>` + date + `</xmp:CreateDate><xmp:ModifyDate>` + date + `</xmp:ModifyDate></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>` + esc(m.Producer) + `</pdf:Producer></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema><pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>PDF/UA version</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="r"?>`)
}
