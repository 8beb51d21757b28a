// Package manifests makes the files that rootbot is installed with, out of the
// very cards and policies that it runs with, so that the two can't differ:
// slack/app.yaml is the Slack app, iam/ holds the policies of the roles in AWS.
// Adding an operation changes them by
//
//	go generate ./manifests
//
// Beside the generated files stand a few written by hand, such as iam/main.tf;
// they name no operation.
package manifests

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/catalog"
)

//go:generate go run ./generate

// Files returns the generated files of every operation in the catalog, by their
// paths below this folder, with slashes.
func Files() (map[string][]byte, error) {
	var operations []ops.Operation
	for _, settings := range catalog.All() {
		// A card can be read without what its operation runs with.
		operations = append(operations, settings.Operation(nil, nil, ""))
	}
	if err := ops.Validate(operations); err != nil {
		return nil, err
	}
	// The audit is no operation, and its role is made like theirs.
	vault := ops.Operation{Name: "audit", Access: ops.Access{Act: anchor.Policy}}
	files, err := iamFiles(append(slices.Clone(operations), vault))
	if err != nil {
		return nil, err
	}
	if files["slack/app.yaml"], err = slackApp(operations); err != nil {
		return nil, err
	}
	return files, nil
}

// iamFiles are the policies of each operation's roles, as the cards have them,
// and what lets the bot assume those roles.
func iamFiles(operations []ops.Operation) (map[string][]byte, error) {
	files := map[string][]byte{}
	var roles []string
	for _, o := range operations {
		for _, stage := range []struct{ name, policy string }{{"look", o.Access.Look}, {"act", o.Access.Act}} {
			if stage.policy == "" {
				continue
			}
			files["iam/"+o.Name+"-"+stage.name+".json"] = text(stage.policy)
			files["iam/"+o.Name+"-trust.json"] = text(awsaccess.Trust)
			roles = append(roles, "arn:aws:iam::${"+AccountOf(o.Name)+"}:role/rootbot-"+o.Name+"-"+stage.name)
		}
	}
	var err error
	files["iam/rootbot.json"], err = botPolicy(roles)
	return files, err
}

// AccountOf names the placeholder for the account that holds an operation's
// roles: operations may work in different accounts.
func AccountOf(operation string) string { return strings.ReplaceAll(operation, "-", "_") + "_account" }

func text(s string) []byte { return []byte(strings.TrimRight(s, "\n") + "\n") }

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid      string
	Effect   string
	Action   string
	Resource []string
}

// botPolicy is all that the bot's own identity may do. Like awsaccess.Trust,
// and for its reason, it has one statement for each action.
func botPolicy(roles []string) ([]byte, error) {
	p := policy{Version: "2012-10-17"}
	for _, allow := range []struct{ sid, action string }{
		{"AssumeTheOperationsRoles", "sts:AssumeRole"},
		{"NameTheHuman", "sts:SetSourceIdentity"},
		{"TagTheRequest", "sts:TagSession"},
	} {
		p.Statement = append(p.Statement, statement{Sid: allow.sid, Effect: "Allow", Action: allow.action, Resource: roles})
	}
	encoded, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the bot's policy: %w", err)
	}
	return append(encoded, '\n'), nil
}
