package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// DefaultHorizon is how long after its day a day key lives.
const DefaultHorizon = 30 * 24 * time.Hour

// The kinds of pseudonym keys in the register.
const (
	KindDay  = "day"
	KindYear = "year"
)

// revalidate is how long a cached key is used without asking the register
// whether another process destroyed it.
const revalidate = time.Minute

// DayKeyRegister is the shared store of wrapped pseudonym keys. For each
// (domain, kind, period) at most one key is live.
type DayKeyRegister interface {
	// DayKey returns the live key. An empty id says that there is none.
	DayKey(ctx context.Context, domain, kind, period string) (id, wrapped string, destroyAfter time.Time, err error)
	// AddDayKey makes the key live and says so, unless the period has a live
	// key or the id was ever used. It decides atomically among all processes
	// and returns after the key is durable.
	AddDayKey(ctx context.Context, domain, kind, period, id, wrapped string, created, destroyAfter time.Time) (added bool, err error)
	// DestroyDayKeys removes for ever the wrapped keys whose time has come,
	// keeps their ids as used, and returns those.
	DestroyDayKeys(ctx context.Context, now time.Time) (ids []string, err error)
}

// DayKeys makes, caches and destroys the keys of pseudonyms: random, one per
// domain and UTC day (or calendar year), made once among all processes and
// never made again after its destruction: a later line of that day gets a key
// with a new id. It is safe for concurrent use.
//
// Only the auditor holds it. It does not judge a line's date: the caller sees
// to it that forged dates do not make keys without end.
type DayKeys struct {
	reg     DayKeyRegister
	kek     tink.AEAD
	horizon time.Duration
	now     func() time.Time

	mu    sync.RWMutex
	cache map[slot]cached // guarded by mu
}

// slot names a period of a domain: the unix day, or minus the year.
type slot struct {
	domain string
	period int64
}

type cached struct {
	prf   *PRF
	until time.Time // when to ask the register again
}

// NewDayKeys returns the day keys in reg. A horizon of 0 means DefaultHorizon.
func NewDayKeys(reg DayKeyRegister, kek tink.AEAD, horizon time.Duration) *DayKeys {
	if horizon <= 0 {
		horizon = DefaultHorizon
	}
	return &DayKeys{reg: reg, kek: kek, horizon: horizon, now: time.Now, cache: map[slot]cached{}}
}

// Day returns the key of a domain for the UTC day of t. A hit in the cache
// allocates nothing.
func (d *DayKeys) Day(ctx context.Context, domain string, t time.Time) (*PRF, error) {
	day := t.Unix() / 86400
	if t.Unix() < 0 && t.Unix()%86400 != 0 {
		day--
	}
	s := slot{domain: domain, period: day}
	if p := d.hit(s); p != nil {
		return p, nil
	}
	start := time.Unix(day*86400, 0).UTC()
	return d.load(ctx, s, KindDay, start.Format("2006-01-02"), start.AddDate(0, 0, 1))
}

// Year returns the key of a domain for the UTC calendar year of t: the long
// epoch of principals that the data map declares, and of links.
func (d *DayKeys) Year(ctx context.Context, domain string, t time.Time) (*PRF, error) {
	year := t.UTC().Year()
	s := slot{domain: domain, period: int64(-1<<40) - int64(year)} // below every unix day
	if p := d.hit(s); p != nil {
		return p, nil
	}
	end := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
	return d.load(ctx, s, KindYear, fmt.Sprintf("%04d", year), end)
}

func (d *DayKeys) hit(s slot) *PRF {
	d.mu.RLock()
	c, ok := d.cache[s]
	d.mu.RUnlock()
	if !ok || d.now().After(c.until) {
		return nil
	}
	return c.prf
}

// load asks the register for the live key, or makes one. The loop ends when
// this process or another has made it; only a used id or a key destroyed in
// between makes it turn again.
func (d *DayKeys) load(ctx context.Context, s slot, kind, period string, end time.Time) (*PRF, error) {
	for {
		id, wrapped, destroyAfter, err := d.reg.DayKey(ctx, s.domain, kind, period)
		if err != nil {
			return nil, fmt.Errorf("failed to read the %s key of %s: %w", kind, period, err)
		}
		if id != "" && !destroyAfter.After(d.now()) { // due, but nobody destroyed it yet
			if _, err := d.DestroyDue(ctx, d.now()); err != nil {
				return nil, err
			}
			continue
		}
		if id != "" {
			return d.keep(s, kind, period, id, wrapped, destroyAfter)
		}
		created := d.now().UTC()
		destroyAfter = created
		if end.After(created) {
			destroyAfter = end
		}
		id, wrapped, err = d.make(s.domain, kind, period)
		if err != nil {
			return nil, fmt.Errorf("failed to make the %s key of %s: %w", kind, period, err)
		}
		if _, err := d.reg.AddDayKey(ctx, s.domain, kind, period, id, wrapped, created, destroyAfter.Add(d.horizon)); err != nil {
			return nil, fmt.Errorf("failed to keep the %s key of %s: %w", kind, period, err)
		}
	}
}

// keep unwraps a key of the register and caches it; the key that is cached
// already stays, so that all callers share one.
func (d *DayKeys) keep(s slot, kind, period, id, wrapped string, destroyAfter time.Time) (*PRF, error) {
	until := d.now().Add(revalidate)
	if destroyAfter.Before(until) {
		until = destroyAfter
	}
	d.mu.RLock()
	c, ok := d.cache[s]
	d.mu.RUnlock()
	p := c.prf
	if !ok || p.ID != id {
		var err error
		if p, err = d.Unwrap(s.domain, kind, period, id, wrapped); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.cache[s]; ok && c.prf.ID == id {
		p = c.prf
	}
	d.sweep()
	d.cache[s] = cached{prf: p, until: until}
	return p, nil
}

// Unwrap returns a key of the register, in use or retired, without caching it.
func (d *DayKeys) Unwrap(domain, kind, period, id, wrapped string) (*PRF, error) {
	b, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil {
		return nil, fmt.Errorf("failed to unwrap the %s key of %s: %w", kind, period, err)
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(b)), d.kek, bound(domain, kind, period, id))
	if err != nil {
		return nil, fmt.Errorf("failed to unwrap the %s key of %s: the key file does not fit the registers: %w", kind, period, err)
	}
	return prfOf(h)
}

func (d *DayKeys) make(domain, kind, period string) (id, wrapped string, err error) {
	params, err := prfParameters()
	if err != nil {
		return "", "", err
	}
	h, err := fresh(params)
	if err != nil {
		return "", "", err
	}
	e, err := h.Primary()
	if err != nil {
		return "", "", err
	}
	id = keyID(e.KeyID())
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), d.kek, bound(domain, kind, period, id)); err != nil {
		return "", "", err
	}
	return id, base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// bound is the associated data of a wrapped key: no row of the register can
// stand in for another.
func bound(domain, kind, period, id string) []byte {
	return fmt.Appendf(nil, "tallystick pseudonym key %q %s %s %s", domain, kind, period, id)
}

// DestroyDue destroys the keys whose horizon has passed at now and says how
// many. Other processes stop using them within a minute, or at their time.
func (d *DayKeys) DestroyDue(ctx context.Context, now time.Time) (int, error) {
	ids, err := d.reg.DestroyDayKeys(ctx, now)
	if err != nil {
		return 0, fmt.Errorf("failed to destroy due keys: %w", err)
	}
	d.Forget(ids...)
	d.mu.Lock()
	d.sweep()
	d.mu.Unlock()
	return len(ids), nil
}

// sweep drops keys that may not be used any more without asking: another process
// may have destroyed them, and nobody may ask again. The caller holds mu.
func (d *DayKeys) sweep() {
	now := d.now()
	maps.DeleteFunc(d.cache, func(_ slot, c cached) bool { return now.After(c.until) })
}

// Forget asks the register again for keys that were retired or destroyed. Other
// processes do so within a minute.
func (d *DayKeys) Forget(ids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, c := range d.cache {
		if slices.Contains(ids, c.prf.ID) {
			delete(d.cache, s)
		}
	}
}
