package reporter

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
)

// Render builds a report, writes its files and records the run. The trail is
// written first: without it nothing happens. A failed run leaves no files and
// stands in the register.
func (r *Reporter) Render(ctx context.Context, q Request) (Artifact, error) {
	job, err := r.Begin(ctx, q)
	if err != nil {
		return Artifact{}, err
	}
	return job.Do(ctx)
}

// Job is a run that is recorded as running and has its work before it.
type Job struct {
	Run string // id of the run
	r   *Reporter
	q   Request
	run registers.ReportRun
}

// Begin checks a request, writes the trail and records the run. The caller
// calls Do once; until it returns, the run stands as running.
func (r *Reporter) Begin(ctx context.Context, q Request) (*Job, error) {
	def, err := r.check(&q)
	if err != nil {
		return nil, err
	}
	if q.Lang == "" {
		q.Lang = def.Language
	}
	if err := r.d.Trail.Record(ctx, q.Actor, "report.render", q.Kind+" "+q.Period.String(), true, ""); err != nil {
		return nil, err
	}
	id := r.d.Now().UTC().Format("20060102-150405-") + rand.Text()[:6]
	run := registers.ReportRun{ID: id, Kind: q.Kind, Language: q.Lang, From: q.Period.From, Until: q.Period.Until, Zone: q.Period.Zone, Public: q.Public, AskedBy: q.Actor, Coverage: -1}
	if err := r.d.Runs.StartRun(ctx, run); err != nil {
		return nil, err
	}
	return &Job{Run: id, r: r, q: q, run: run}, nil
}

// Do builds the report and writes its files.
func (j *Job) Do(ctx context.Context) (Artifact, error) {
	r := j.r
	a, err := j.inTurn(ctx)
	if err != nil {
		r.rendered.WithLabelValues(j.q.Kind, "failed").Inc()
		// The run has to be closed even when ctx has ended.
		return Artifact{}, errors.Join(err, r.d.Runs.FailRun(context.WithoutCancel(ctx), j.Run, problem(err)))
	}
	r.rendered.WithLabelValues(j.q.Kind, "done").Inc()
	r.ledger(ctx, j.Run, j.run.Files)
	return a, nil
}

// inTurn runs one job at a time: a report may read much.
func (j *Job) inTurn(ctx context.Context) (Artifact, error) {
	r := j.r
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return Artifact{}, ctx.Err()
	}
	started := r.d.Now()
	defer func() { r.seconds.Observe(r.d.Now().Sub(started).Seconds()) }()
	return r.run(ctx, j.q, &j.run)
}

// problem is what the register says of a failure: no text of a driver.
func problem(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "interrupted"
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return "the files could not be written"
	}
	return "the data could not be read or rendered; see the log"
}

func (r *Reporter) run(ctx context.Context, q Request, run *registers.ReportRun) (Artifact, error) {
	rep, err := r.Build(ctx, q)
	if err != nil {
		return Artifact{}, err
	}
	run.Language, run.Coverage = rep.Language, rep.Front.Share
	run.CheckpointSize, run.CheckpointRoot = rep.Front.Checkpoint.Size, rep.Front.Checkpoint.Root
	dir, files, err := r.store(run.ID, rep, q.Formats)
	if err != nil {
		return Artifact{}, err
	}
	run.Files = files
	if err := r.d.Runs.FinishRun(ctx, *run); err != nil {
		return Artifact{}, errors.Join(err, os.RemoveAll(dir))
	}
	return Artifact{Run: run.ID, Dir: dir, Files: files}, nil
}

// store writes the files into a folder beside and renames it when all are on
// the disk.
func (r *Reporter) store(id string, rep *reports.Report, formats []string) (string, []registers.ReportFile, error) {
	fail := func(err error) (string, []registers.ReportFile, error) {
		return "", nil, fmt.Errorf("failed to store the report: %w", err)
	}
	if err := os.MkdirAll(r.cfg.Dir, 0o700); err != nil {
		return fail(err)
	}
	temp, err := os.MkdirTemp(r.cfg.Dir, tempPrefix)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	var files []registers.ReportFile
	for _, format := range formats {
		var b bytes.Buffer
		if err := render.Write(&b, rep, format); err != nil {
			return fail(err)
		}
		name := rep.FileName(format)
		if err := writeFile(filepath.Join(temp, name), b.Bytes()); err != nil {
			return fail(err)
		}
		sum := sha256.Sum256(b.Bytes())
		files = append(files, registers.ReportFile{Name: name, Format: format, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(b.Len())})
	}
	if err := durable.SyncDir(temp); err != nil {
		return fail(err)
	}
	dir := filepath.Join(r.cfg.Dir, id)
	if err := os.Rename(temp, dir); err != nil {
		return fail(err)
	}
	return dir, files, durable.SyncDir(r.cfg.Dir)
}

// tempPrefix marks folders of unfinished runs.
const tempPrefix = ".unfinished-"

func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// ledger hands digests to the ledger. What it does not take is offered again
// by Run.
func (r *Reporter) ledger(ctx context.Context, run string, files []registers.ReportFile) {
	if r.d.Ledger == nil {
		return
	}
	for _, f := range files {
		if f.Ledgered {
			continue
		}
		var sum [32]byte
		if _, err := hex.Decode(sum[:], []byte(f.SHA256)); err != nil {
			continue
		}
		err := r.d.Ledger.ReportDigest(ctx, run+"/"+f.Name, sum)
		if err == nil {
			err = r.d.Runs.LedgerFile(ctx, run, f.Name)
		}
		if err != nil {
			r.d.Log.Warn("the ledger has not taken a report's digest yet", "run", run, "error", err)
			return
		}
	}
}
