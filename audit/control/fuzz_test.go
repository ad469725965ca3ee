package control_test

import (
	"testing"
	"testing/fstest"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/schemas"
)

func FuzzLoad(f *testing.F) {
	for _, n := range []string{"AC-01", "EX-03", "DN-01", "GV-03"} {
		data, err := schemas.Controls.ReadFile("controls/" + n + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := control.Load(fstest.MapFS{"a.yaml": {Data: data}})
		if (s == nil) == (err == nil) {
			t.Fatal("neither or both of a set and an error")
		}
		if s != nil {
			s.Test()
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, c := range shipped(f).Controls {
		f.Add(c.Applies)
		f.Add(c.Violation)
	}
	f.Add(`not (a in ["b"]) && len(categories) >= 3`)
	e := control.BaseEntry()
	f.Fuzz(func(t *testing.T, src string) {
		p, sql, err := control.CompileExpression(src)
		if err == nil {
			p(&e)
		}
		if (sql == "") == (err == nil) {
			t.Fatal("neither or both of SQL and an error")
		}
	})
}

func BenchmarkExpression(b *testing.B) {
	p, _, err := control.CompileExpression(`len(categories) > 0 and outcome in ["allowed", "aborted", "unknown"] and principal_type in ["staff", "service", "recipient", "unknown"]`)
	if err != nil {
		b.Fatal(err)
	}
	e := control.BaseEntry()
	for b.Loop() {
		if !p(&e) {
			b.Fatal("false")
		}
	}
}
