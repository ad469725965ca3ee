package services

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
)

// BackupKeys implements Operations.
func (a *App) BackupKeys(ctx context.Context, r BackupRequest) (*BackupResult, error) {
	to := "the key-encryption key"
	if r.Passphrase != "" {
		to = "a passphrase"
	}
	if err := a.registers.Record(ctx, actorOf(ctx), "keys.backup", "keys, encrypted to "+to, true, ""); err != nil {
		return nil, err
	}
	list, err := a.registers.DayKeys(ctx)
	if err != nil {
		return nil, err
	}
	var years []keys.PseudonymKey
	for _, k := range list {
		if k.Kind != keys.KindYear {
			continue
		}
		_, wrapped, err := a.registers.DayKeyByID(ctx, k.ID)
		if errors.Is(err, registers.ErrNotFound) { // destroyed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		years = append(years, keys.PseudonymKey{
			Domain: k.Domain, Kind: k.Kind, Period: k.Period, ID: k.ID, Wrapped: wrapped, Created: k.Created, DestroyAfter: k.DestroyAfter, Retired: k.Retired,
		})
	}
	now := time.Now()
	data, err := a.keys.Backup(a.dir.id, a.kek, r.Passphrase, years, now)
	if err != nil {
		return nil, err
	}
	return &BackupResult{Data: data, Until: now.Add(a.cfg.Keys.Horizon).UTC()}, nil
}

// RestoreKeys makes an installation in the empty data folder of c from a
// back-up of keys, and proves that what was sealed opens. ask is called for the
// passphrase of a back-up that has one. What it did not finish it removes.
func RestoreKeys(ctx context.Context, c *Config, data []byte, ask func() (string, error), log *slog.Logger) (_ *RestoreResult, err error) {
	b, err := keys.ReadBackup(data)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Home(), "keys")
	for _, path := range []string{filepath.Join(c.Home(), "installation"), dir, filepath.Join(c.Home(), "registers.db")} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, &text.Hint{Err: fmt.Errorf("%s exists: keys are restored into an empty data folder only", path), Hint: "give another folder with --data"}
		}
	}
	if err := os.MkdirAll(c.Home(), 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the data folder: %w", err)
	}
	var undo []string
	defer func() {
		if err != nil {
			for _, path := range undo {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
	}()
	undo = append(undo, dir)
	kek, made, err := restoredKEK(ctx, c, b, dir, ask)
	if err != nil {
		return nil, err
	}
	if made != "" {
		undo = append(undo, made)
		log.Warn(keys.LocalKEKNote(made))
	}
	got, err := b.Restore(dir, kek, time.Now(), c.Keys.Horizon)
	if err != nil {
		return nil, err
	}
	undo = append(undo, filepath.Join(c.Home(), "registers.db"), filepath.Join(c.Home(), "registers.db-wal"), filepath.Join(c.Home(), "registers.db-shm"))
	if err := restoreRegister(ctx, c, b, got, kek); err != nil {
		return nil, err
	}
	if err := durable.New(filepath.Join(c.Home(), "installation"), []byte(b.Installation+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("failed to write the installation's id: %w", err)
	}
	return &RestoreResult{Installation: b.Installation, Made: b.Made, Keysets: got.Keysets, LineKeys: got.LineKeys, Gone: got.Gone, Pseudonyms: len(got.Pseudonyms), KEK: made}, nil
}

// restoredKEK opens the back-up with the KEK, which it puts where the
// configuration says. made is the key file that it wrote, if any.
func restoredKEK(ctx context.Context, c *Config, b *keys.Backup, dir string, ask func() (string, error)) (kek *keys.KEK, made string, err error) {
	var service kms.Service
	path := c.Keys.KEK
	if kms.Is(path) {
		service, err = kms.Open(path, c.Keys.KMS)
	} else if path == "" {
		path, err = kekPath(b.Installation)
	}
	if err != nil {
		return nil, "", err
	}
	if len(b.Salt) > 0 {
		passphrase, err := ask()
		if err != nil {
			return nil, "", err
		}
		if kek, err = b.OpenPassphrase(passphrase); err != nil {
			return nil, "", err
		}
		if service != nil {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, "", fmt.Errorf("failed to make the folder of keysets: %w", err)
			}
			return kek, "", kek.Rewrap(ctx, dir, path, service)
		}
		err = kek.Save(path)
		if errors.Is(err, fs.ErrExist) { // it lies there still, and has to fit
			kek, err = keys.LocalKEK(path)
			return kek, "", err
		}
		return kek, path, err
	}
	switch by := b.Service(); {
	case by == "" && service != nil:
		return nil, "", &text.Hint{Err: errors.New("the back-up opens with a key file, and keys.kek names a key management service"), Hint: "leave keys.kek out or name the key file, restore, then tallystick keys rewrap " + path}
	case by != "" && (service == nil || by != path):
		return nil, "", &text.Hint{Err: fmt.Errorf("the key-encryption key of the back-up is wrapped by %s", by), Hint: "set keys.kek to it"}
	case service != nil:
		if err := b.PutKEK(dir); err != nil {
			return nil, "", err
		}
		kek, err = keys.ServiceKEK(ctx, dir, path, service)
	default:
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, "", &text.Hint{Err: fmt.Errorf("the back-up opens with the key file of installation %s, and there is none at %s", b.Installation, path), Hint: "put the key file back there first, or use a back-up with a passphrase"}
		}
		kek, err = keys.LocalKEK(path)
	}
	if err != nil {
		return nil, "", err
	}
	return kek, "", b.OpenKEK(kek)
}

// restoreRegister makes the registers, the trail of the restore first.
func restoreRegister(ctx context.Context, c *Config, b *keys.Backup, got *keys.Restored, kek *keys.KEK) (err error) {
	db, err := registers.Open(ctx, filepath.Join(c.Home(), "registers.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Record(ctx, actorOf(ctx), "keys.restore", "keys of installation "+b.Installation, true, "back-up of "+b.Made.UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	dayKeys := keys.NewDayKeys(db, kek, c.Keys.Horizon)
	// A period has one key in use, so those that are not come first.
	slices.SortStableFunc(got.Pseudonyms, func(a, b keys.PseudonymKey) int { return b.Retired.Compare(a.Retired) })
	for _, k := range got.Pseudonyms {
		if _, err := dayKeys.Unwrap(k.Domain, k.Kind, k.Period, k.ID, k.Wrapped); err != nil {
			return err
		}
		if _, err := db.AddDayKey(ctx, k.Domain, k.Kind, k.Period, k.ID, k.Wrapped, k.Created, k.DestroyAfter); err != nil {
			return err
		}
		if !k.Retired.IsZero() {
			if _, err := db.RetireDayKey(ctx, k.ID, k.Retired); err != nil {
				return err
			}
		}
	}
	return nil
}
