package masking_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// TestKeepOriginals: the classes of the policy, in the order of the lines, and
// nothing where the stage was not told to keep any.
func TestKeepOriginals(t *testing.T) {
	batch := func() *audit.Batch {
		return &audit.Batch{Events: []audit.Event{
			{Principal: plain.New("maria"), ClientAddr: plain.New("10.1.2.3"), Subjects: []audit.Subject{{Kind: "email", Value: plain.New("a@example.com")}, {Kind: "email", Value: plain.New("b@example.com")}}},
			{Rejected: true, Principal: plain.New("nobody")},
			{Principal: plain.New("joao")},
		}}
	}
	b := batch()
	g := masking.NewEngine(nil, dayKeys())
	if err := g.Process(t.Context(), b); err != nil || len(b.Unsealed) != 0 {
		t.Fatalf("%d originals without a vault, error %v", len(b.Unsealed), err)
	}
	g.KeepOriginals()
	b = batch()
	if err := g.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Line         int
		Class, Field string
		Value        string
	}
	var got []row
	for _, u := range b.Unsealed {
		got = append(got, row{u.Line, u.Class, u.Field, u.Value.Reveal(plainaccess.Token{})})
	}
	want := []row{
		{0, "identity", "principal_id", "maria"}, {0, "identity", "subjects.0", "a@example.com"}, {0, "identity", "subjects.1", "b@example.com"},
		{0, "network", "client_ip", "10.1.2.3"}, {2, "identity", "principal_id", "joao"},
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("originals (-got +want):\n%s", d)
	}
}

func TestVaultClasses(t *testing.T) {
	for _, tc := range []struct{ name, vault, want string }{
		{"unknown field", "vault: {a: [status_code]}", "no original of"},
		{"two classes", "vault: {a: [target], b: [target]}", "in two classes"},
		{"a name", "vault: {A b: [target]}", "a vault class has a name"},
	} {
		_, err := masking.ParsePolicy("p.yaml", []byte("version: 1\n"+tc.vault+"\nfields: {schema_version: keep, event_time: keep, source: keep, stream: keep, generation: keep, offset: keep, chunk: keep, version: keep, row: keep, mark: keep}\n"))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
	if d := cmp.Diff(masking.DefaultPolicy().Classes(), []string{"identity", "network"}); d != "" {
		t.Errorf("classes (-got +want):\n%s", d)
	}
}
