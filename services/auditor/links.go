package auditor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// storeLinks stores the links that the chunk brings.
func (b *building) storeLinks(ctx context.Context, s Store) error {
	if len(b.links) == 0 {
		return nil
	}
	return s.InsertLinks(ctx, b.sortedLinks())
}

// linked says that the links of a closed chunk are durable.
func (a *Auditor) linked(b *building) {
	if a.deps.Linked != nil && len(b.links) > 0 {
		a.deps.Linked(b.sortedLinks())
	}
}

func (b *building) sortedLinks() []audit.Link {
	return slices.SortedFunc(maps.Values(b.links), func(x, y audit.Link) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), strings.Compare(x.Pseudonym, y.Pseudonym))
	})
}
