package classify_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/classify"
	"github.com/tallystick/tallystick/masking/plain"
)

func TestProcess(t *testing.T) {
	mail := plain.New("alice@example.com")
	for _, tc := range []struct {
		name  string
		event audit.Event
		want  []audit.Found
	}{
		{"nothing", audit.Event{Target: plain.New("/index.html?page=2"), UserAgent: plain.New("Mozilla/5.0 Chrome/128.0.0.0")}, nil},
		{"path and query apart", audit.Event{Target: plain.New("/u/alice@example.com?ip=192.0.2.7&e=bob%40example.com")},
			[]audit.Found{{Kind: "email", Place: "path"}, {Kind: "ipv4", Place: "query"}, {Kind: "email", Place: "query"}}},
		{"each once", audit.Event{Target: plain.New("/?a=a@b.de&b=c@d.de")}, []audit.Found{{Kind: "email", Place: "query"}}},
		{"declared subject counts too", audit.Event{Target: plain.New("/?e=alice@example.com"), Subjects: []audit.Subject{{Kind: "email", Value: mail}}},
			[]audit.Found{{Kind: "email", Place: "query"}}},
		{"referer, agent, user, host", audit.Event{Referer: plain.New("https://x/?e=a@b.de"), UserAgent: plain.New("bot (+a@b.de)"), User: mail, Host: plain.New("a@b.de")},
			[]audit.Found{{Kind: "email", Place: "referer"}, {Kind: "email", Place: "user_agent"}, {Kind: "email", Place: "user"}, {Kind: "email", Place: "host"}}},
		{"address as host is the server", audit.Event{Host: plain.New("192.0.2.7:8080")}, nil},
		{"own address is no found data", audit.Event{PeerAddr: plain.New("192.0.2.7"), ClientAddr: plain.New("192.0.2.7"), Forwarded: []plain.Text{plain.New("192.0.2.7")}}, nil},
		{"field and its header twin", audit.Event{Fields: []audit.Field{{Name: "x-mail", Value: mail}, {Name: "header:x-mail", Value: mail}}},
			[]audit.Found{{Kind: "email", Place: "x-mail"}}},
		{"kafka group", audit.Event{Protocol: "kafka", ResourceName: plain.New("group of a@b.de")}, []audit.Found{{Kind: "email", Place: "resource"}}},
		{"card", audit.Event{Target: plain.New("/pay?card=4111111111111111")}, []audit.Found{{Kind: "card", Place: "query"}}},
		{"rejected", audit.Event{Rejected: true, User: mail}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &audit.Batch{Events: []audit.Event{tc.event}}
			if err := classify.New(nil).Process(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, b.Events[0].Found); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
