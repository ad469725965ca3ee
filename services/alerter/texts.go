package alerter

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// controlTexts describes controls from their files and the catalogue.
type controlTexts struct {
	set       *control.Set
	catalogue *text.Catalogue
}

var _ alert.Controls = controlTexts{}

func (c controlTexts) Text(id, part, lang string) string {
	k := c.set.Control(id)
	if k == nil {
		return ""
	}
	if own := k.Texts[part]; own != nil {
		if s := own[lang]; s != "" {
			return s
		}
		return own[text.Languages[0]]
	}
	msg := k.Message(part)
	if s := c.catalogue.For(lang).T(msg, nil); s != "!"+msg+"!" {
		return s
	}
	return ""
}

func (c controlTexts) Articles(id string) []string {
	if k := c.set.Control(id); k != nil {
		return k.Articles()
	}
	return nil
}

// keyNames lets keys stand for themselves.
type keyNames struct{}

func (keyNames) System(key string) string       { return key }
func (keyNames) Organisation(key string) string { return key }

// received reads completeness from the store.
type received struct{ store Store }

func (r received) Received(ctx context.Context, source string, from, until time.Time) (float64, bool, error) {
	res, err := r.store.Select(ctx, `SELECT sum(received) AS received, sum(missing) AS missing FROM completeness
		WHERE source = {source:String} AND hour >= toStartOfHour({from:DateTime64(9, 'UTC')}) AND hour <= {until:DateTime64(9, 'UTC')}`,
		store.Named("source", source), store.Named("from", from.UTC().Format(sqlTime)), store.Named("until", until.UTC().Format(sqlTime)))
	if err != nil || len(res.Rows) == 0 || len(res.Rows[0]) < 2 {
		return 0, false, err
	}
	got, _ := res.Rows[0][0].(uint64)
	missing, _ := res.Rows[0][1].(uint64)
	if got+missing == 0 {
		return 0, false, nil
	}
	return float64(got) / float64(got+missing), true, nil
}
