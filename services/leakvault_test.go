package services_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services"
)

// vault gives the installation vault keys for the months around now, so that
// the originals of all canaries are sealed. The key officer is elsewhere.
func (s *site) vault(now time.Time) {
	s.t.Helper()
	officer, _, err := keys.CreateFolder(filepath.Join(s.t.TempDir(), "officer"), "", keys.RolePerson)
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := officer.PersonSigner()
	if err != nil {
		s.t.Fatal(err)
	}
	var list []keys.VaultKey
	for _, class := range []string{"identity", "network"} {
		for m := -2; m <= 2; m++ {
			k, err := officer.CreateVaultKey(class, time.Date(now.Year(), now.Month()+time.Month(m), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
			if err != nil {
				s.t.Fatal(err)
			}
			list = append(list, k)
		}
	}
	s.cfg.Vault.Keys, s.cfg.Vault.Officer = filepath.Join(s.dir, "vault.json"), grant.KeyText(signer.Public())
	if err := keys.WriteVaultKeys(s.cfg.Vault.Keys, list); err != nil {
		s.t.Fatal(err)
	}
}

// bundle puts out evidence with sealed originals.
func (l *leakRun) bundle() {
	l.t.Helper()
	var ids []string
	for _, row := range l.rows("SELECT DISTINCT event_id FROM originals ORDER BY event_id LIMIT 200") {
		ids = append(ids, row[0])
	}
	res, err := l.app.Evidence(l.t.Context(), services.EvidenceRequest{Entries: ids, Reason: "CASE-7"})
	if err != nil {
		l.t.Fatal(err)
	}
	if res.Originals < len(ids) || res.Entries != len(ids) {
		l.t.Errorf("the bundle has %d entries and %d originals of %d", res.Entries, res.Originals, len(ids))
	}
	z, err := zip.NewReader(bytes.NewReader(res.Data), int64(len(res.Data)))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			l.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			l.t.Fatal(err)
		}
		l.put("bundle: "+f.Name, b)
	}
}
