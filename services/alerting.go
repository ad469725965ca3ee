package services

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/audit/alert/webhook"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/services/alerter"
)

func (a *App) openAlerter(context.Context) (err error) {
	if !a.has("alerter") && !a.has("tap") && !a.has("auditor") {
		return nil
	}
	var receivers []alert.Notifier
	for _, w := range a.cfg.Alerts.Webhooks {
		cfg := webhook.Config{Name: w.Name, URL: w.URL, Secrets: a.webhookSecrets, AllowPrivate: w.AllowPrivate}
		if w.SecretFile != "" {
			cfg.Secrets = nil
			if cfg.Secret, err = webhookSecret(w); err != nil {
				return err
			}
		}
		r, err := webhook.New(cfg)
		if err != nil {
			return fmt.Errorf("webhook %s: %w", w.Name, err)
		}
		a.onStop("webhook "+w.Name, func() error { r.Close(); return nil })
		receivers = append(receivers, r)
	}
	base := a.cfg.Console.PublicURL
	if base == "" {
		base = "http://" + a.cfg.Console.Listen
	}
	a.alerter, err = alerter.New(alerter.Config{Language: a.cfg.Alerts.Language, BaseURL: base}, alerter.Deps{
		Groups: a.registers, Outbox: a.registers, Consumer: a.broker, Store: a.store, Controls: a.controls,
		Receivers: receivers, Catalogue: a.texts, Names: mapNames{a}, Logger: a.log, Registerer: a.metrics,
	})
	if err != nil {
		return err
	}
	if a.has("alerter") {
		a.onRun("alerter", a.alerter.Run)
		a.onRun("evidence watch", a.watchEvidence)
	}
	return nil
}

// webhookSecrets are the installation's, the newest first.
func (a *App) webhookSecrets() ([]string, error) {
	list, err := a.keys.WebhookSecrets()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range list {
		out = append(out, "whsec_"+base64.StdEncoding.EncodeToString(b))
	}
	return out, nil
}

// webhookSecret is the receiver's own secret.
func webhookSecret(w WebhookConfig) (string, error) {
	b, err := private.Read("the secret_file of webhook "+w.Name, w.SecretFile)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// mapNames gives keys of the data map their names.
type mapNames struct{ a *App }

func (n mapNames) System(key string) string {
	if s := n.a.datamap.System(key); s != nil && s.Name != "" {
		return s.Name
	}
	return key
}

func (n mapNames) Organisation(key string) string {
	if o := n.a.datamap.Org(key); o != nil && o.Name != "" {
		return o.Name
	}
	return key
}
