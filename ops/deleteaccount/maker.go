package deleteaccount

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops/terraform"
)

// makers are the types of resources by which AWS makes accounts beside
// aws_organizations_account: Control Tower's account factory is a product of Service
// Catalog, and a CloudFormation stack may have an AWS::Organizations::Account.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-organizations-account.html
var makers = []string{
	"aws_servicecatalog_provisioned_product", "awscc_servicecatalog_cloudformation_provisioned_product", "awscc_organizations_account",
	"aws_cloudcontrolapi_resource", "aws_cloudformation_stack", "awscc_cloudformation_stack",
}

// inMakers says where a module or another maker gets the account's name, address or ID.
// Those that get what fits no account are told in one line: what they make isn't known.
// Modules count in the files that define accounts.
func (s *search) inMakers(ctx context.Context, config *terraform.Config) (*terraform.Place, error) {
	var dark []string
	first := terraform.Place{}
	for _, maker := range append(config.Modules(), config.Makers(makers...)...) {
		defining := s.defines(maker.Path)
		if !defining && strings.HasPrefix(maker.Name, "module.") {
			continue
		}
		arguments := slices.DeleteFunc(slices.Clone(maker.Arguments), isAside)
		if i := slices.IndexFunc(arguments, s.isExact); i >= 0 {
			return &arguments[i].Place, nil
		}
		if s.mayMake(arguments) {
			s.cannotSee(maker.Place, maker.Name+" may well be this account: its values fit the name or the address")
			continue
		}
		if !defining {
			continue
		}
		theirs, err := s.isAnothers(ctx, arguments)
		if err != nil {
			return nil, err
		}
		if !theirs {
			if len(dark) == 0 {
				first = maker.Place
			}
			dark = append(dark, fmt.Sprintf("%s at %s", maker.Name, maker.Place))
		}
	}
	if len(dark) == 1 {
		s.cannotSee(first, strings.TrimSuffix(dark[0], " at "+first.String())+" makes of its values what isn't in these files")
	} else if len(dark) > 1 {
		s.unseen = append(s.unseen, fmt.Sprintf("%d modules and other makers, which make of their values what isn't in these files (%s)", len(dark), some(dark)))
	}
	return nil, nil
}

// some are the first of a list, and how many more there are.
func some(list []string) string {
	text := strings.Join(list[:min(len(list), mostUnseen)], ", ")
	if more := len(list) - mostUnseen; more > 0 {
		text += fmt.Sprintf(", %d more", more)
	}
	return text
}

// isAside tells whether an argument says nothing of what is made: tags, and what tells
// Terraform how.
func isAside(argument terraform.Argument) bool {
	return slices.Contains([]string{"source", "version", "providers", "depends_on", "lifecycle", "provider"}, argument.Keys[0]) ||
		slices.ContainsFunc(argument.Keys, func(key string) bool { return strings.Contains(strings.ToLower(key), "tags") })
}

// isExact tells whether an argument is the account's name, address or ID, is in a map under
// one of these, or is a document that has one.
func (s *search) isExact(argument terraform.Argument) bool {
	a, text := s.account, argument.Text
	for _, word := range []string{a.Name, a.Email, a.ID} {
		if text.Known && same(text.Value, word) || slices.ContainsFunc(argument.Keys[1:], func(key string) bool { return same(key, word) }) {
			return true
		}
	}
	return text.Known && strings.ContainsAny(text.Value, "{\n") && s.inText(text.Value) > 0
}

// mayMake tells whether name or address of the account can be made of arguments: of an
// expression that fits, of the address's local part, or of literals side by side, such as an
// application and an environment.
func (s *search) mayMake(arguments []terraform.Argument) bool {
	local, _, _ := strings.Cut(strings.ToLower(s.account.Email), "@")
	_, behind, _ := strings.Cut(local, "+")
	name := strings.ToLower(strings.TrimSpace(s.account.Name))
	var words []string
	for _, argument := range arguments {
		text := argument.Text
		if !text.Known {
			if text.MayBe(s.account.Name) || text.MayBe(s.account.Email) || isAddress(text, s.account.Email) {
				return true
			}
			continue
		}
		word := strings.ToLower(strings.TrimSpace(text.Value))
		if word != "" && (word == local || word == behind) {
			return true
		}
		if len(word) > 1 {
			words = append(words, word)
		}
	}
	return isMadeOf(name, words) || isMadeOf(local, words) || isMadeOf(behind, words)
}

// isMadeOf tells whether a text is made of two or more of the words, with a hyphen, a space
// or the like between them or without.
func isMadeOf(text string, words []string) bool {
	if len(text) < 3 {
		return false
	}
	most := make([]int, len(text)+1) // of how many words the text is made up to there; 0: it isn't
	for end := range most {
		for _, word := range words {
			begin := end - len(word)
			if begin < 0 || text[begin:end] != word {
				continue
			}
			before := begin
			if before > 0 && strings.ContainsRune(" -_.+", rune(text[before-1])) {
				before--
			}
			for _, b := range []int{begin, before} {
				if b == 0 || most[b] > 0 {
					most[end] = max(most[end], most[b]+1)
				}
			}
		}
	}
	return most[len(text)] > 1
}

// isAnothers tells whether the arguments, all of which are known, have the name, address or
// ID of another account.
func (s *search) isAnothers(ctx context.Context, arguments []terraform.Argument) (bool, error) {
	if slices.ContainsFunc(arguments, func(a terraform.Argument) bool { return !a.Text.Known }) {
		return false, nil
	}
	others, err := s.otherAccounts(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(arguments, func(a terraform.Argument) bool {
		return slices.ContainsFunc(others, func(e entry) bool {
			return same(a.Text.Value, e.name) || same(a.Text.Value, e.email) || same(a.Text.Value, e.id)
		})
	}), nil
}
