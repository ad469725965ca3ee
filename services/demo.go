package services

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/audit/alert/webhook"
	"github.com/tallystick/tallystick/internal/demo"
	"github.com/tallystick/tallystick/internal/text"
)

// Demo is an invented company in a folder of its own.
type Demo struct {
	Folder     string
	ConfigPath string
	DataPath   string
	fresh      bool
	tickets    net.Listener
}

// demoRate is how many live lines the demo writes a second.
const demoRate = 4

// PrepareDemo writes the company's logs, configuration and data map, unless the
// folder holds a demo already. A folder with anything else is refused.
func PrepareDemo(_ context.Context, folder string) (*Demo, error) {
	d := &Demo{Folder: folder, ConfigPath: filepath.Join(folder, "tallystick.yaml"), DataPath: filepath.Join(folder, "data")}
	if demo.Written(folder) {
		return d, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("failed to read the demo's folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, &text.Hint{Err: fmt.Errorf("%s is not empty and holds no demo; demo and real data never share a folder", folder), Hint: "give the demo a folder of its own with --data"}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the demo's folder: %w", err)
	}
	d.fresh = true
	_, err = demo.Write(folder, demo.Options{Seed: 1, End: time.Now().UTC()})
	return d, err
}

// Tickets binds the demo's receiver of webhooks on loopback and configures it
// as the one receiver. It is called before New.
func (d *Demo) Tickets(c *Config) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("failed to open the demo's ticket receiver: %w", err)
	}
	d.tickets = ln
	c.Alerts.Webhooks = append(c.Alerts.Webhooks, WebhookConfig{Name: "demo-tickets", URL: "http://" + ln.Addr().String() + "/", AllowPrivate: true})
	return nil
}

// TicketsURL lists the tickets that the demo's receiver has.
func (d *Demo) TicketsURL() string { return "http://" + d.tickets.Addr().String() + "/" }

// RunDemo adds the demo to what Run runs: the receiver, the history by ingest,
// then live lines. When these begin, done is told what was ingested, or nil if
// the history was there already.
func (a *App) RunDemo(d *Demo, progress func(Progress), done func(*IngestSummary)) error {
	secrets, err := a.webhookSecrets()
	if err != nil {
		return err
	}
	receiver, err := webhook.NewReceiver(secrets[0])
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: receiver, ReadHeaderTimeout: 10 * time.Second}
	a.onRun("demo's ticket receiver", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
		return ignoreClosed(srv.Serve(d.tickets))
	})
	a.tapAfter = make(chan struct{})
	a.onRun("demo", func(ctx context.Context) error {
		var sum *IngestSummary
		if d.fresh {
			if sum, err = a.ingestDemo(ctx, d, progress); err != nil {
				return err
			}
		}
		close(a.tapAfter)
		done(sum)
		return demo.Live(ctx, d.Folder, demoRate)
	})
	return nil
}

// ingestDemo puts the history of each source through the pipeline.
func (a *App) ingestDemo(ctx context.Context, d *Demo, progress func(Progress)) (*IngestSummary, error) {
	began := time.Now()
	all := &IngestSummary{}
	for _, source := range []string{demo.Shop, demo.CRM, demo.Events} {
		path, err := filepath.Abs(demo.Path(d.Folder, source))
		if err != nil {
			return nil, err
		}
		s, err := a.Ingest(ctx, IngestRequest{Files: []string{path}, Format: "auto", Source: source}, progress)
		if err != nil {
			return nil, err
		}
		all.Lines += s.Lines
		all.Entries += s.Entries
		all.Rejections += s.Rejections
		all.Findings += s.Findings
	}
	all.Seconds = time.Since(began).Seconds()
	return all, nil
}
