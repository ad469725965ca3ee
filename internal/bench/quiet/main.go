// Command quiet measures what `tallystick run` costs on a quiet site: one log
// file that grows by a few lines a second, everything embedded. It prints the
// share of one core, the chunks that closed, the parts that were written and how
// long lines waited. It decides nothing.
//
//	go run ./internal/bench/quiet -bin bin/tallystick -rates 10 -for 60s
//	go run ./internal/bench/quiet -bin OLD,NEW -rates 0,10 -findings 0.05
//
// Several binaries, rates and shares run at the same time, each in a folder of
// its own: on a busy machine only they can be compared.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	bins := flag.String("bin", "bin/tallystick", "the binaries to measure, with commas")
	rates := flag.String("rates", "0,10", "lines a second, with commas; each is a run of its own")
	share := flag.String("findings", "0,0.05", "shares of the lines that raise a finding, with commas; each is a run of its own")
	length := flag.Duration("for", 90*time.Second, "how long to measure")
	settle := flag.Duration("settle", 30*time.Second, "how long to run before that")
	keep := flag.String("dir", "", "folder that stays; default one that goes")
	flag.Parse()
	log.SetFlags(0)
	sites, err := plan(*bins, *rates, *share)
	if err != nil {
		log.Fatal(err)
	}
	dir := *keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tallystick-quiet-*"); err != nil {
			log.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	var wg sync.WaitGroup
	errs := make([]error, len(sites))
	for i, s := range sites {
		wg.Go(func() { errs[i] = s.measure(dir+"/"+strconv.Itoa(i), *settle, *length) })
	}
	wg.Wait()
	fmt.Printf("%v of one core, after %v; parts written, and those there at the end, of all tables;\n", *length, *settle)
	fmt.Println("seconds until the chunk of a line with a finding, and of the others, closed: median, most")
	fmt.Printf("%-24s %8s %9s %8s %8s %11s %6s %12s %12s\n", "", "lines/s", "findings", "% core", "chunks", "parts/hour", "there", "found after", "other after")
	for i, s := range sites {
		if errs[i] != nil {
			fmt.Printf("%-24s %v\n", s.bin, errs[i])
			continue
		}
		s.print()
	}
}

// plan is a site for each binary, rate and share; a rate of 0 has no findings.
func plan(bins, rates, shares string) ([]*site, error) {
	var out []*site
	for rate := range strings.SplitSeq(rates, ",") {
		r, err := strconv.ParseFloat(rate, 64)
		if err != nil {
			return nil, fmt.Errorf("-rates: %w", err)
		}
		for n, share := range strings.Split(shares, ",") {
			f, err := strconv.ParseFloat(share, 64)
			if err != nil {
				return nil, fmt.Errorf("-findings: %w", err)
			}
			if r == 0 && n > 0 {
				break
			}
			for bin := range strings.SplitSeq(bins, ",") {
				out = append(out, &site{bin: bin, rate: r, share: f})
			}
		}
	}
	return out, nil
}
