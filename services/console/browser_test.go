//go:build integration

package console_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
)

// chromium is Debian's binary; /usr/bin/chromium is a shell script.
const chromium = "/usr/lib/chromium/chromium"

// openBrowser starts headless Chromium, which reaches this machine only. The
// returned function lists what pages wrote to the browser's console.
func openBrowser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Chromium is missing: run make integration, which installs it")
		}
		t.Skip("Chromium is missing: run make integration, which installs it")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.WindowSize(1360, 900),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-gpu", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancelTime)
	do(t, ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventConsoleAPICalled:
			lines = append(lines, fmt.Sprint(e.Type))
		case *runtime.EventExceptionThrown:
			lines = append(lines, e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func theme(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		t.Fatal(err)
	}
}

type axeResult struct {
	Violations []struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML string `json:"html"`
		} `json:"nodes"`
	} `json:"violations"`
}

// checkAccessible runs axe-core from the file AXE_JS over the page.
func checkAccessible(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	path := os.Getenv("AXE_JS")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("AXE_JS is not set: run make integration, which fetches axe-core")
		}
		return
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Evaluate[chromedp.Void](string(axe)))
	res := evaluate[axeResult](t, ctx, `axe.run(document,{resultTypes:['violations'],runOnly:{type:'tag',values:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}})`)
	for _, v := range res.Violations {
		t.Errorf("%s: %s: %s, first of %d: %s", page, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML)
	}
}

// shoot saves a screenshot in the folder SHOTS, if that is set.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
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
	ctx, console := openBrowser(t)
	token, err := s.registers.CreateSignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(s.SignInURL(token)))
	checkAccessible(t, ctx, "welcome")
	shoot(t, ctx, "welcome-light")
	fill := func(name, value string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS(`main input[name="`+name+`"]`), value)
	}
	do(t, ctx, fill("name", "dana"), fill("password", password), fill("repeat", password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS("#tiles")))
	seedRegisters(t, s)

	first := func(path, link string) string {
		do(t, ctx, chromedp.Navigate(base+path))
		return evaluate[string](t, ctx, `document.querySelector('`+link+`').getAttribute('href')`)
	}
	pages := map[string]string{
		"overview": "/", "findings": "/findings", "findings-each": "/findings?rows=each", "gaps": "/gaps", "entries": "/entries", "sources": "/sources?period=30d",
		"reports": "/reports", "run": "/reports/1", "number": "/reports/1/number/entries", "approvals": "/approvals", "suppressions": "/suppressions",
		"trail": "/trail", "users": "/users", "docs": "/docs/", "error": "/nothing",
		"finding": first("/findings?rows=each&control=AC-01", `main tbody a`), "entry": first("/entries", `main tbody a`),
	}
	for _, scheme := range []string{"light", "dark"} {
		theme(t, ctx, scheme)
		for name, path := range pages {
			do(t, ctx, chromedp.Navigate(base+path), chromedp.WaitVisible(chromedp.CSS("h1")))
			checkAccessible(t, ctx, name+" in "+scheme)
			shoot(t, ctx, name+"-"+scheme)
		}
	}
	theme(t, ctx, "light")
	narrow(t, ctx, base, pages)
	if lines := console(); len(lines) > 0 {
		t.Errorf("pages wrote to the browser's console: %q", lines)
	}
}

// narrow checks that no page is wider than a telephone.
func narrow(t *testing.T, ctx context.Context, base string, pages map[string]string) {
	t.Helper()
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true}); err != nil {
		t.Fatal(err)
	}
	for name, path := range pages {
		do(t, ctx, chromedp.Navigate(base+path), chromedp.WaitVisible(chromedp.CSS("h1")))
		if w := evaluate[int](t, ctx, `document.documentElement.scrollWidth`); w > 390 {
			t.Errorf("%s is %d pixels wide on a screen of 390", name, w)
		}
		shoot(t, ctx, name+"-narrow")
	}
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
	ctx, _ := openBrowser(t)
	do(t, ctx, chromedp.Navigate(base+"/sign-in"), chromedp.SendKeys(chromedp.CSS(`main input[name="name"]`), "dana"),
		chromedp.SendKeys(chromedp.CSS(`main input[name="password"]`), password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS("#tiles")))
	do(t, ctx, chromedp.Evaluate[chromedp.Void](`window.stayed = true`))
	// Let a first beat pass, so that the page knows what it shows.
	evaluate[bool](t, ctx, `fetch("/api/v1/pulse").then(() => new Promise(done => setTimeout(() => done(true), 1500)))`)
	f := seedFinding(now, "DN-01-fresh", "DN-01")
	if err := st.InsertOtherFindings(t.Context(), "fresh", f); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for deadline := begin.Add(10 * time.Second); ; {
		if strings.Contains(evaluate[string](t, ctx, `document.querySelector("#controls").textContent`), "DN-01") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the finding did not appear")
		}
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the finding appeared after %s", took)
	} else {
		t.Logf("the finding appeared after %s", took.Round(time.Millisecond))
	}
	if !evaluate[bool](t, ctx, `window.stayed === true`) {
		t.Error("the page was loaded again")
	}
}

// TestBrowserWithoutScript reads the pages with JavaScript off.
func TestBrowserWithoutScript(t *testing.T) {
	s, base := serve(t, nil)
	if err := s.registers.AddUser(t.Context(), "dana", password, registers.RoleOfficer); err != nil {
		t.Fatal(err)
	}
	ctx, _ := openBrowser(t)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(base+"/?x="+url.QueryEscape("1")), chromedp.SendKeys(chromedp.CSS(`main input[name="name"]`), "dana"),
		chromedp.SendKeys(chromedp.CSS(`main input[name="password"]`), password), chromedp.Click(chromedp.CSS(`main button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS(".empty")))
	shoot(t, ctx, "empty-light")
}
