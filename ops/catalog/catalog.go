// Package catalog is the list of operations: one line each.
package catalog

import (
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
	"github.com/aws-root-account/rootbot/ops/removeuser"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

// Settings are those of one operation: a pointer to a struct that an installer's
// YAML is decoded into, over the defaults that it holds.
type Settings interface {
	Name() string // the key under operations, and ops.Operation.Name
	Check() []ops.Fault
	Operation(broker *awsaccess.Broker, client *github.Client, organization string) ops.Operation
}

// All returns the settings of every operation there is, with their defaults.
// Not among them: operations on the root users' own credentials, which stay
// with people; nothing this bot holds may sign in as root.
func All() []Settings {
	return []Settings{
		scimsync.Defaults(),
		removeuser.Defaults(),
		deleteaccount.Defaults(),
	}
}
