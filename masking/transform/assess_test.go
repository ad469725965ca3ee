package transform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/transform"
)

func TestAssessment(t *testing.T) {
	a := transform.NewAssessment([]string{"user.age", "zip"})
	if r := a.Result(); r != (transform.Anonymity{}) {
		t.Errorf("of nothing: %+v", r)
	}
	add := func(n int, line string) {
		for range n {
			if err := a.Add([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(12, `{"user":{"age":"18-29"},"zip":"24***","x":1}`)
	add(3, `{"zip":"24***","user":{"age":"30-49"}}`)
	add(4, `{"user":[{"age":"65+"},{"age":"0-17"}],"zip":"25***"}`)
	add(1, `{"user":1}`)
	add(2, `no object`)
	want := transform.Anonymity{Lines: 20, Classes: 4, K: 1, Alone: 1, Under5: 8, Under10: 8, Missing: 2}
	if diff := cmp.Diff(a.Result(), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}
