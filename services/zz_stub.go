package services

import (
	"context"

	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/ledger"
)

func (a *App) openAlerter(context.Context) error  { return nil }
func (a *App) openReporter(context.Context) error { return nil }
func (a *App) openConsole(context.Context) error  { return nil }
func (a *App) artefacts() ledger.Artefacts        { return nil }

func (a *App) tapGap(file.Gap) {}
func newSealer(dir string, s *keys.Signer) (*seal.Sealer, error) {
	enc, _, err := keys.LinePublic(dir)
	if err != nil {
		return nil, err
	}
	return seal.NewSealer(keys.LocalTap, enc, s)
}
func (a *App) Render(context.Context, RenderRequest) (*Rendered, error) { return nil, nil }

type Demo struct{ ConfigPath, DataPath string }

func PrepareDemo(ctx context.Context, folder string) (*Demo, error) { return nil, nil }
func (a *App) RunDemo(d *Demo, progress func(Progress), done func(*IngestSummary)) {
}
func (a *App) URL() string { return "" }
