package chaos_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// sample is how many kills are played of each operation on each database where
// not every one is.
const sample = 3

// TestChaosKill kills the bot at the boundaries of what an operation does.
func TestChaosKill(t *testing.T) {
	t.Parallel()
	chosen := seed()
	if !opstest.Every() && *only == "" {
		t.Logf("to play the same sample again: -chaos.seed %d", chosen)
	}
	for _, o := range operations {
		for _, on := range databases {
			t.Run(o.name+" on "+on.name, func(t *testing.T) {
				prefix := o.name + " on " + on.name + ", killed "
				if *only != "" && !strings.HasPrefix(*only, prefix) {
					return
				}
				on.here(t)
				t.Parallel()
				killing(t, o, on, prefix, chosen)
			})
		}
	}
}

func killing(t *testing.T, o operation, on database, prefix string, chosen uint64) {
	t.Helper()
	var calls []call
	var want outcome
	if !t.Run("not killed", func(t *testing.T) {
		calm := begin(t, processtest.Binary(t), on, o.options, newRelay(point{}))
		o.play(calm)
		calls = calm.relay.end()
		calm.stop()
		calm.whole()
		want = calm.outcome()
	}) {
		return
	}

	points := boundaries(calls)
	all := len(points)
	switch {
	case *only != "":
		side, name, _ := strings.Cut(strings.TrimPrefix(*only, prefix), " ")
		points = []point{{name, side == "after"}}
	case !opstest.Every():
		h := fnv.New64()
		_, _ = h.Write([]byte(prefix))
		rand.New(rand.NewPCG(chosen, h.Sum64())).Shuffle(all, func(i, j int) { points[i], points[j] = points[j], points[i] })
		points = points[:min(max(sample, int(math.Ceil(*part*float64(all)))), all)]
	}
	var missed atomic.Int64
	begun := time.Now()
	t.Run("killed", func(t *testing.T) {
		for _, p := range points {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("to play it again: go test ./bot/chaos -run ChaosKill -chaos.only '%s%s'", prefix, p)
					}
				})
				// How many messages Slack is sent depends on how fast all goes: of a few
				// kills, any may be at one that another run doesn't send.
				if !kill(t, o, on, p, want) && (len(points) > sample || !strings.HasPrefix(p.call, "slack ")) {
					missed.Add(1)
				}
			})
		}
	})
	t.Logf("%d of %d kills in %v, %d of them came to nothing", len(points), all, time.Since(begun).Round(time.Second), missed.Load())
	// Logs are cut into messages as time allows, so one call more or less is no fault.
	if int(missed.Load()) > len(points)/4+1 || *only != "" && missed.Load() > 0 {
		t.Errorf("%d of %d kills came to nothing: the call wasn't made", missed.Load(), len(points))
	}
}

// boundaries are the points at which a run that made these calls is to be
// killed: both sides of each call that changes something, and the first of the
// readings between two of them.
func boundaries(calls []call) []point {
	var points []point
	reading := map[string]bool{}
	phase := false
	for _, c := range calls {
		switch {
		case c.writes:
			points = append(points, point{c.String(), false}, point{c.String(), true})
			phase = false
		case !phase && !reading[c.name]:
			points = append(points, point{c.String(), false})
			reading[c.name], phase = true, true
		}
	}
	// Calls that are made beside each other come in any order.
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.String(), b.String()) })
	return points
}

// kill plays an operation in which the bot is killed at a point, and reports
// whether it came there.
func kill(t *testing.T, o operation, on database, p point, want outcome) bool {
	s := begin(t, processtest.Binary(t), on, o.options, newRelay(p))
	o.play(s)
	over := time.Now()
	s.relay.end()
	s.stop()
	if s.victim == nil {
		t.Logf("the bot never came to the point %s", p)
		return false
	}
	defer func() {
		if t.Failed() {
			made := s.relay.made()
			i := slices.IndexFunc(made, func(c call) bool { return c.String() == p.call })
			t.Logf("process %d (replica %d) was killed %s, call %d of the run; those around it were %v",
				s.corpse.PID(), s.victim.replica, p, i+1, made[max(0, i-8):min(len(made), i+9)])
		}
	}()
	s.whole()
	if s.doubt() {
		s.doubtful()
		return true
	}
	s.timely(over)
	got := s.outcome()
	if diff := gocmp.Diff(want.without(got, s.untold()), got); diff != "" {
		t.Errorf("this is not what comes of a run that nobody disturbs (-undisturbed +killed):\n%s", diff)
	}
	return true
}

// timely wants work to have gone on soon after the kill.
func (s *scene) timely(over time.Time) {
	s.Helper()
	if s.on.replicas > 1 {
		if took := over.Sub(s.diedAt); took > s.on.resumes {
			s.Errorf("the other replica needed %v after the kill", took)
		} else {
			s.Logf("over %v after the kill", took.Round(time.Millisecond))
		}
		return
	}
	said := "nothing was left to be done"
	for _, c := range s.relay.made() {
		if c.at.After(s.restored) && !s.relay.starting(c.name) {
			took := c.at.Sub(s.restored)
			if took > s.on.resumes {
				s.Errorf("%v after the start the bot went on with %s", took, c)
			}
			said = fmt.Sprintf("it went on with %s after %v", c, took.Round(time.Millisecond))
			break
		}
	}
	s.Logf("%s; over %v after the start", said, over.Sub(s.restored).Round(time.Millisecond))
}
