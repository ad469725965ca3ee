package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/audit/alert/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

func sender(t *testing.T, url string, private bool) *webhook.Webhook {
	t.Helper()
	w, err := webhook.New(webhook.Config{Name: "test", URL: url, Secret: secret, AllowPrivate: private})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func notice(group string, n int) []byte {
	b, err := alert.Notice{Type: "finding.opened", Data: alert.Data{Group: group, Notice: n, Summary: "High: something", Severity: "high"}}.Body()
	if err != nil {
		panic(err)
	}
	return b
}

// While a secret is replaced, a receiver that has the earlier or the later one
// takes the notices, and a sender whose secrets can't be had tries again.
func TestSecretsChangeOver(t *testing.T) {
	const later = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	var away error
	for _, known := range []string{secret, later} {
		r, err := webhook.NewReceiver(known)
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(r)
		defer srv.Close()
		w, err := webhook.New(webhook.Config{Name: "test", URL: srv.URL, AllowPrivate: true, Secrets: func() ([]string, error) { return []string{later, secret}, away }})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.Notify(t.Context(), "m1", notice("1", 1)); err != nil {
			t.Error(err)
		}
		away = errors.New("away")
		if retry, err := w.Notify(t.Context(), "m2", notice("1", 2)); !errors.Is(err, away) || !retry {
			t.Errorf("without secrets: retry %v, error %v", retry, err)
		}
		away = nil
	}
}

// TestDeliver sends to the receiver, whose check is the library's.
func TestDeliver(t *testing.T) {
	ctx := context.Background()
	r, err := webhook.NewReceiver(secret)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(r)
	defer srv.Close()
	w := sender(t, srv.URL, true)
	for _, m := range []struct{ id, group string }{{"m1", "1"}, {"m2", "2"}, {"m1", "1"}, {"m3", "1"}} {
		if _, err := w.Notify(ctx, m.id, notice(m.group, 1)); err != nil {
			t.Fatal(err)
		}
	}
	other, err := webhook.New(webhook.Config{Name: "x", URL: srv.URL, AllowPrivate: true, Secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	if err != nil {
		t.Fatal(err)
	}
	if retry, err := other.Notify(ctx, "m4", notice("3", 1)); err == nil || !retry {
		t.Errorf("a wrong signature: retry %v, error %v", retry, err)
	}
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var got []webhook.Ticket
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := []webhook.Ticket{
		{Group: "2", Summary: "High: something", Severity: "high", Notices: 1},
		{Group: "1", Summary: "High: something", Severity: "high", Notices: 2},
	}
	if diff := cmp.Diff(got, want, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	if again, refused := r.Counts(); again != 1 || refused != 1 {
		t.Errorf("%d repeated, %d refused", again, refused)
	}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name  string
		code  int
		after string
		retry bool
		gone  bool
		wait  time.Duration
		ok    bool
	}{
		{"ok", 200, "", false, false, 0, true},
		{"accepted", 202, "", false, false, 0, true},
		{"gone", 410, "", false, true, 0, false},
		{"redirect", 302, "", true, false, 0, false},
		{"bad request", 400, "", true, false, 0, false},
		{"too many", 429, "120", true, false, 2 * time.Minute, false},
		{"unavailable", 503, "", true, false, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				if tc.after != "" {
					w.Header().Set("Retry-After", tc.after)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.code)
			}))
			defer srv.Close()
			retry, err := sender(t, srv.URL, true).Notify(context.Background(), "m", notice("1", 1))
			if retry != tc.retry || (err == nil) != tc.ok || errors.Is(err, alert.ErrGone) != tc.gone || asked != 1 {
				t.Errorf("retry %v, error %v, asked %d times", retry, err, asked)
			}
			var wait *alert.WaitError
			if errors.As(err, &wait); (wait != nil) != (tc.wait > 0) || wait != nil && wait.Wait != tc.wait {
				t.Errorf("wait %v", wait)
			}
		})
	}
}

func TestErrorHidesTheAddress(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	url := srv.URL + "/hooks/SECRET-TOKEN"
	srv.Close()
	retry, err := sender(t, url, true).Notify(context.Background(), "m", notice("1", 1))
	if err == nil || !retry || strings.Contains(err.Error(), "SECRET-TOKEN") {
		t.Errorf("retry %v, error %v", retry, err)
	}
}

// TestGuardAtDial uses a name that resolves to loopback.
func TestGuardAtDial(t *testing.T) {
	retry, err := sender(t, "https://localhost:1/", false).Notify(context.Background(), "m", notice("1", 1))
	if !errors.Is(err, webhook.ErrGuard) || retry {
		t.Errorf("retry %v, error %v", retry, err)
	}
}

func TestCheckAddr(t *testing.T) {
	for _, tc := range []struct {
		addr            string
		public, private bool // allowed without and with allow_private
	}{
		{"93.184.216.34", true, true},
		{"2606:2800:220:1::1", true, true},
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"10.1.2.3", false, true},
		{"192.168.0.1", false, true},
		{"100.64.0.1", false, true},
		{"fd12::1", false, true},
		{"::ffff:10.0.0.1", false, true},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"100.100.100.200", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"2002:a9fe:a9fe::1", false, false},
	} {
		a := netip.MustParseAddr(tc.addr)
		if got := webhook.CheckAddr(a, false) == nil; got != tc.public {
			t.Errorf("%s: allowed %v", tc.addr, got)
		}
		if got := webhook.CheckAddr(a, true) == nil; got != tc.private {
			t.Errorf("%s with allow_private: allowed %v", tc.addr, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct{ name, url, secret, want string }{
		{"no address", "receiver", secret, "not an http"},
		{"another scheme", "file:///etc/passwd", secret, "not an http"},
		{"plain http", "http://example.com", secret, "allow_private"},
		{"no prefix", "https://example.com", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"},
		{"short secret", "https://example.com", "whsec_AAAA", "24 to 64"},
	} {
		_, err := webhook.New(webhook.Config{Name: "w", URL: tc.url, Secret: tc.secret})
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%s: error %v", tc.name, err)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999", ""} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := webhook.RetryAfter(s, now); d < 0 || d > 24*time.Hour {
			t.Errorf("%q: %v", s, d)
		}
	})
}
