package keys

import (
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// SetNow replaces the clock of day keys.
func (d *DayKeys) SetNow(now func() time.Time) { d.now = now }

// Cached is how many day keys are in memory.
func (d *DayKeys) Cached() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.cache)
}

// SiteTinkPRF returns Tink's own PRF over the site keyset.
func (s *Store) SiteTinkPRF() (*prf.Set, error) {
	h, err := s.handle(RoleSite)
	if err != nil {
		return nil, err
	}
	return prf.NewPRFSet(h)
}

// Handle returns the keyset of a role.
func (s *Store) Handle(r Role) (*keyset.Handle, error) { return s.handle(r) }

// SetNow replaces the clock of a vault.
func (v *Vault) SetNow(now func() time.Time) { v.now = now }
