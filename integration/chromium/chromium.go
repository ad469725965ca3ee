//go:build integration

// Package chromium drives headless Chromium in tests: pages, what they ask the
// network for, what they write to the browser's console, their accessibility by
// axe-core, their screenshots.
//
// The browser reaches this machine only. Without Chromium a test is left out,
// or fails where CI is set. Only tests built with the tag integration use it.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// binary is Debian's binary; /usr/bin/chromium is a shell script.
const binary = "/usr/lib/chromium/chromium"

// lifetime bounds what one test does in its browser.
const lifetime = 4 * time.Minute

// Browser is one browser with one page. Its methods end the test on failure.
type Browser struct {
	t   *testing.T
	Ctx context.Context

	mu       sync.Mutex
	console  []string
	requests []string
}

// Missing leaves the test out, or fails it where CI is set.
func Missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: run make integration, which installs it", what)
	}
	t.Skipf("%s is missing: run make integration, which installs it", what)
}

// Open starts Chromium and stops it with the test.
func Open(t *testing.T) *Browser {
	t.Helper()
	if _, err := os.Stat(binary); err != nil {
		Missing(t, "Chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.WindowSize(1360, 900),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-gpu", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, lifetime)
	t.Cleanup(cancelTime)
	b := &Browser{t: t, Ctx: ctx}
	b.Do()
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.event); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Browser) event(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		b.console = append(b.console, fmt.Sprint(e.Type))
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// Console lists what pages wrote to the browser's console.
func (b *Browser) Console() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.console
}

// Requests lists the addresses that pages asked for.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// Do runs actions one after the other.
func (b *Browser) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.Ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// Go opens a page and waits for its heading.
func (b *Browser) Go(url string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("h1")))
}

// Call sends a command of the DevTools protocol to the page.
func Call[P, R any](b *Browser, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.Ctx, cmd, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// Evaluate runs JavaScript in the page and returns its value, a promise's when
// it is kept.
func Evaluate[T any](b *Browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.Ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// Await evaluates the condition until it holds and returns how long that took.
func (b *Browser) Await(within time.Duration, what, condition string) time.Duration {
	b.t.Helper()
	begin := time.Now()
	for !Evaluate[bool](b, condition) {
		if time.Since(begin) > within {
			b.t.Fatalf("not within %s: %s; the page says:\n%s", within, what, Evaluate[string](b, `document.body.innerText`))
		}
	}
	return time.Since(begin)
}

// Download clicks on what sel selects and returns the file that arrives.
func (b *Browser) Download(sel string) []byte {
	b.t.Helper()
	dir := b.t.TempDir()
	_, err := chromedp.CallBrowser(b.Ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Do(chromedp.Click(chromedp.CSS(sel)))
	for deadline := time.Now().Add(20 * time.Second); ; {
		// Chromium gives a file its name when it is complete.
		entries, err := os.ReadDir(dir)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".crdownload") || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err == nil && len(data) > 0 {
				return data
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				b.t.Fatal(err)
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("nothing was downloaded by a click on %s", sel)
		}
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

// CheckAccessible runs axe-core from the file AXE_JS over the page.
func (b *Browser) CheckAccessible(page string) {
	b.t.Helper()
	path := os.Getenv("AXE_JS")
	if path == "" {
		if os.Getenv("CI") != "" {
			b.t.Fatal("AXE_JS is not set: run make integration, which fetches axe-core")
		}
		return
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Do(chromedp.Evaluate[chromedp.Void](string(axe)))
	res := Evaluate[axeResult](b, `axe.run(document,{resultTypes:['violations'],runOnly:{type:'tag',values:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}})`)
	for _, v := range res.Violations {
		b.t.Errorf("%s: %s: %s, first of %d: %s", page, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML)
	}
}

// Shoot saves a screenshot in the folder SHOTS, if that is set.
func (b *Browser) Shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.Ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
