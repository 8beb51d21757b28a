package chaos_test

import (
	"flag"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

var (
	part   = flag.Float64("chaos.part", 0, "which part of the kills is drawn, and a minute of load; 0 is a few kills and no load")
	only   = flag.String("chaos.only", "", "play this kill alone, named as the test names it")
	seeded = flag.Uint64("chaos.seed", 0, "which sample of the kills is played; 0 is another one each time")
)

// Nearly all the time goes into waiting.
func TestMain(m *testing.M) { processtest.Main(m, 32) }

// loaded tells whether the minute of load is played.
func loaded() bool { return opstest.Every() || *part > 0 }

// seed is the one that was asked for, or a new one.
func seed() uint64 {
	if *seeded != 0 {
		return *seeded
	}
	return uint64(time.Now().UnixNano())
}
