package ops_test

import (
	"context"
	"fmt"

	"github.com/aws-root-account/rootbot/ops"
)

// An operation is a card. Its plan looks, and names each effect exactly; once the plan is
// approved, the desk runs the steps of that very plan.
func ExampleOperation() {
	lamps := map[string]bool{"hall": true, "loft": false}
	off := ops.Operation{
		Name: "lights-off", Command: "/lights-off",
		Doc: "Switch lamps off",
		Form: []ops.Field{{Name: "rooms", Label: "Rooms", List: true, Check: func(room string) error {
			if _, ok := lamps[room]; !ok {
				return &ops.Error{Kind: ops.Invalid, What: "There is no lamp in the " + room + "."}
			}
			return nil
		}}},
		Approval: ops.Rule{Count: 1},
		Plan: func(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
			plan := ops.Plan{Summary: "All lamps are off."}
			for _, room := range r.Inputs["rooms"] {
				if lamps[room] {
					plan.Summary = "Switch off the lamp in the " + room + "."
					plan.Steps = append(plan.Steps, ops.Step{Do: "switch", Title: "Switch it off", Effects: []string{"Switch off the lamp in the " + room}})
				}
			}
			return plan, nil
		},
		Do: map[string]func(context.Context, ops.Run) error{
			"switch": func(ctx context.Context, run ops.Run) error {
				for _, room := range run.Request().Inputs["rooms"] {
					lamps[room] = false // a step may run twice, and this may
				}
				return run.Report(ctx, ops.Report{Summary: "The lamps are off."})
			},
		},
	}
	fmt.Println(off.Title(), ops.Validate([]ops.Operation{off}))

	inputs, err := off.Words([]string{"hall", "loft"})
	fmt.Println(inputs, err)
	_, err = off.Words([]string{"shed"})
	fmt.Println(ops.Words(err, ""))

	shown, err := off.Plan(context.Background(), ops.Request{Inputs: inputs}, nil)
	fmt.Println(shown.Summary, shown.Effects(), off.Check(shown), err)

	// An effect that wasn't shown needs a new approval.
	lamps["loft"] = true
	now, err := off.Plan(context.Background(), ops.Request{Inputs: inputs}, nil)
	fmt.Println(now.Beyond(shown), now.Digest() == shown.Digest(), err)
	// Output:
	// Switch lamps off <nil>
	// map[rooms:[hall loft]] <nil>
	// There is no lamp in the shed.
	// Switch off the lamp in the hall. [Switch off the lamp in the hall] <nil> <nil>
	// [Switch off the lamp in the loft] false <nil>
}
