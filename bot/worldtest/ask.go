package worldtest

import (
	"fmt"

	"github.com/aws-root-account/rootbot/ops"
)

// asked are values for the fields of forms, by the fields' names.
var asked = map[string]string{
	"emails": Leaver, "account": Sinking, "name": SinkingName, "reason": "Not needed any more.",
	"ticket": "OPS-12", "agreement": "https://example.gov.uk/agreed",
}

// Inputs fills in an operation's form with what this world has. A field that it has
// nothing for is an error: a new operation's fields belong into asked.
func Inputs(o ops.Operation) (ops.Inputs, error) {
	inputs := ops.Inputs{}
	for _, f := range o.Form {
		switch value := asked[f.Name]; {
		case len(f.Agree) > 0:
			for i := range f.Agree {
				inputs[f.Name] = append(inputs[f.Name], ops.Agreed(i))
			}
		case value != "":
			inputs[f.Name] = []string{value}
		case !f.Optional:
			return nil, fmt.Errorf("worldtest: nothing to fill in for the field %s of %s", f.Name, o.Command)
		}
	}
	return inputs, nil
}
