//go:build integration

package console_test

import (
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/integration/chromium"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
)

func theme(b *chromium.Browser, name string) {
	chromium.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

func serve(t *testing.T, edit func(*console.Config, *console.Deps)) (*site, string) {
	t.Helper()
	s := newSite(t, edit)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, s.URL()
}

// TestBrowser goes the way of a new user and looks at every page in both
// themes and on a narrow screen.
func TestBrowser(t *testing.T) {
	st := seeded(t, time.Now().UTC(), 30, 1200)
	s, base := serve(t, func(_ *console.Config, d *console.Deps) { d.Store, d.Docs = st, os.DirFS("../../docs") })
	b := chromium.Open(t)
	token, err := s.registers.CreateSignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Do(chromedp.Navigate(s.SignInURL(token)))
	b.CheckAccessible("welcome")
	b.Shoot("welcome-light")
	fill := func(name, value string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS(`main input[name="`+name+`"]`), value)
	}
	b.Do(fill("name", "dana"), fill("password", password), fill("repeat", password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS("#tiles")))
	seedRegisters(t, s)

	first := func(path, link string) string {
		b.Do(chromedp.Navigate(base + path))
		return chromium.Evaluate[string](b, `document.querySelector('`+link+`').getAttribute('href')`)
	}
	pages := map[string]string{
		"overview": "/", "findings": "/findings", "findings-each": "/findings?rows=each", "gaps": "/gaps", "entries": "/entries", "sources": "/sources?period=30d",
		"reports": "/reports", "run": "/reports/1", "number": "/reports/1/number/entries", "approvals": "/approvals", "suppressions": "/suppressions", "holds": "/holds",
		"trail": "/trail", "users": "/users", "docs": "/docs/", "error": "/nothing",
		"finding": first("/findings?rows=each&control=AC-01", `main tbody a`), "entry": first("/entries", `main tbody a`),
	}
	for _, scheme := range []string{"light", "dark"} {
		theme(b, scheme)
		for name, path := range pages {
			b.Go(base + path)
			b.CheckAccessible(name + " in " + scheme)
			b.Shoot(name + "-" + scheme)
		}
	}
	theme(b, "light")
	narrow(t, b, base, pages)
	if lines := b.Console(); len(lines) > 0 {
		t.Errorf("pages wrote to the browser's console: %q", lines)
	}
}

// narrow checks that no page is wider than a telephone.
func narrow(t *testing.T, b *chromium.Browser, base string, pages map[string]string) {
	t.Helper()
	chromium.Call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true})
	for name, path := range pages {
		b.Go(base + path)
		if w := chromium.Evaluate[int](b, `document.documentElement.scrollWidth`); w > 390 {
			t.Errorf("%s is %d pixels wide on a screen of 390", name, w)
		}
		b.Shoot(name + "-narrow")
	}
}

// seedFinding is one finding of a batch outside of chunks.
func seedFinding(at time.Time, id, control string) []audit.Finding {
	return []audit.Finding{{ID: id, Kind: audit.Violation, Control: control, ControlVersion: 1, Severity: audit.SeverityHigh, Time: at, Until: at, Detected: at,
		Source: "shop", System: "shop", Principal: seedPrincipals[0].id, PrincipalKind: "staff", PrincipalLabel: seedPrincipals[0].label, Resource: "/login", Count: 25}}
}

// TestBrowserRefreshes shows a finding on the overview without a reload, two
// seconds after it is stored.
func TestBrowserRefreshes(t *testing.T) {
	now := time.Now().UTC()
	st := seeded(t, now, 1, 50)
	s, base := serve(t, func(_ *console.Config, d *console.Deps) { d.Store = st })
	if err := s.registers.AddUser(t.Context(), "dana", password, registers.RoleOfficer); err != nil {
		t.Fatal(err)
	}
	b := chromium.Open(t)
	b.Do(chromedp.Navigate(base+"/sign-in"), chromedp.SendKeys(chromedp.CSS(`main input[name="name"]`), "dana"),
		chromedp.SendKeys(chromedp.CSS(`main input[name="password"]`), password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS("#tiles")))
	b.Do(chromedp.Evaluate[chromedp.Void](`window.stayed = true`))
	f := seedFinding(now, "DN-01-fresh", "DN-01")
	if err := st.InsertOtherFindings(t.Context(), "fresh", f); err != nil {
		t.Fatal(err)
	}
	took := b.Await(10*time.Second, "the finding on the overview", `document.querySelector("#controls").textContent.includes("DN-01")`)
	if took > 2*time.Second {
		t.Errorf("the finding appeared after %s", took)
	} else {
		t.Logf("the finding appeared after %s", took.Round(time.Millisecond))
	}
	if !chromium.Evaluate[bool](b, `window.stayed === true`) {
		t.Error("the page was loaded again")
	}
}

// TestBrowserWithoutScript reads the pages with JavaScript off.
func TestBrowserWithoutScript(t *testing.T) {
	s, base := serve(t, nil)
	if err := s.registers.AddUser(t.Context(), "dana", password, registers.RoleOfficer); err != nil {
		t.Fatal(err)
	}
	b := chromium.Open(t)
	chromium.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.Do(chromedp.Navigate(base+"/?x="+url.QueryEscape("1")), chromedp.SendKeys(chromedp.CSS(`main input[name="name"]`), "dana"),
		chromedp.SendKeys(chromedp.CSS(`main input[name="password"]`), password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS(".empty")))
	b.Shoot("empty-light")
}
