package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) runCommand() *cobra.Command {
	var target, level, listen, installation, metrics string
	var demo bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the service: all of it, or the parts that --target names",
		Long: "Without addresses in the configuration Kafka and ClickHouse run inside the process.\n" +
			"The first start prints a link that makes the first account; it works once, for ten minutes, from this machine.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := new(slog.Level).UnmarshalText([]byte(level)); err != nil {
				return &text.Hint{Err: fmt.Errorf("--log-level %s: not known", level), Hint: "--log-level debug, info, warn or error"}
			}
			if target == services.CustodianTarget {
				return c.runCustodian(cmd.Context(), level)
			}
			if target == services.MaskerTarget {
				return c.runMasker(cmd.Context(), logger(c.err, level))
			}
			targets, err := services.ParseTargets(target)
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), targets, demo, func(cfg *services.Config) {
				for flag, key := range map[*string]*string{&listen: &cfg.Console.Listen, &installation: &cfg.Installation, &metrics: &cfg.Metrics.Listen} {
					if *flag != "" {
						*key = *flag
					}
				}
			}, logger(c.err, level))
		},
	}
	f := cmd.Flags()
	f.StringVar(&target, "target", "all", "all, or a list of "+strings.Join(services.Targets, ", ")+"; or masker, alone; or custodian, alone and with its own --config")
	f.BoolVar(&demo, "demo", false, "run an invented company with thirty days of history and live traffic, in a data folder of its own")
	f.StringVar(&listen, "listen", "", "address of the console (default console.listen)")
	f.StringVar(&installation, "installation", "", "data folder of the installation that a further auditor or tap belongs to; --data is its own (default installation, or data)")
	f.StringVar(&metrics, "metrics", "", "address of /metrics, /healthz and /readyz (default metrics.listen)")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// run runs targets with the configuration as flags changes it.
func (c *cli) run(ctx context.Context, targets []string, demo bool, flags func(*services.Config), log *slog.Logger) (err error) {
	var show *services.Demo
	if demo {
		if c.dataPath == "" {
			c.dataPath = "demo"
		}
		if show, err = services.PrepareDemo(ctx, filepath.Clean(c.dataPath)); err != nil {
			return err
		}
		fmt.Fprintln(c.err, "the demo is in", show.Folder)
		c.configPath, c.dataPath = show.ConfigPath, show.DataPath
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	flags(cfg)
	if show != nil {
		if err := show.Tickets(cfg); err != nil {
			return err
		}
	}
	if err := services.CheckTargets(targets, cfg); err != nil {
		return err
	}
	app, err := services.New(ctx, services.Options{Config: cfg, Targets: targets, Version: version, Logger: log, Stdin: c.in})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	if err := c.greet(ctx, app); err != nil {
		return err
	}
	if show != nil {
		bar := newProgress(c.err, "history", "lines")
		fmt.Fprintf(c.out, "tickets that the alerts opened: %s\n", show.TicketsURL())
		err := app.RunDemo(show, bar.show, func(s *services.IngestSummary) {
			bar.finish()
			if s == nil {
				fmt.Fprintf(c.err, "the history of %s was there already; live traffic goes on\n", show.Folder)
				return
			}
			fmt.Fprintf(c.err, "the history of %s is in: %d entries, %d findings in %.0f s; live traffic goes on\n", show.Folder, s.Entries, s.Findings, s.Seconds)
		})
		if err != nil {
			return err
		}
	}
	return app.Run(ctx)
}

// runMasker runs the streams of the section masker, and nothing else.
func (c *cli) runMasker(ctx context.Context, log *slog.Logger) (err error) {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	m, err := services.OpenMasker(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return m.Run(ctx)
}

// greet prints where the console is, and the link to the first account. The
// link goes to the terminal only, never to the log.
func (c *cli) greet(ctx context.Context, app *services.App) error {
	if app.Addr() == "" {
		return nil
	}
	fmt.Fprintf(c.out, "console: %s\n", app.URL())
	link, err := app.SignInLink(ctx)
	if err != nil {
		return err
	}
	if link != "" {
		fmt.Fprintf(c.out, "first sign-in (works once, for ten minutes, from this machine): %s\n", link)
	}
	return nil
}

// logger writes text lines for operators.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
