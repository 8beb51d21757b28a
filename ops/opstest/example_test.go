package opstest_test

import (
	"context"
	"fmt"

	"github.com/aws-root-account/rootbot/ops/opstest"
)

// The same walk, with a process that dies once: each number is a moment between two
// writes. Whenever that is, the number in the world is one more in the end, and the
// people who watch read the line once.
func ExampleWalk() {
	for kill := range 8 {
		world := 41
		walk := &opstest.Walk{Operation: counting(&world), Kill: kill}
		err := walk.Run(context.Background())
		report, _ := walk.Report()
		fmt.Println(world, report.Summary, len(walk.Lines()), err)
	}
	// Output:
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
	// 42 Added. 1 <nil>
}
