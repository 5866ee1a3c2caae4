// Package cloud keeps of the vendor's what other commands use of it.
package cloud

import (
	"github.com/spf13/cobra"

	diy "github.com/pulumi/pulumi/pkg/v3/backend/diy/cloud"
)

// APIError is the type of error that this command's results have; nothing makes one here.
type APIError struct {
	ExitCode int
	Silent   bool
}

func (*APIError) Error() string { return "" }

// NewAPICmd returns a command that only says that it is left out.
func NewAPICmd() *cobra.Command {
	return &cobra.Command{
		Use:                "api",
		Short:              "Left out of this pulumi, which was built for rehearsals only",
		DisableFlagParsing: true,
		RunE:               func(*cobra.Command, []string) error { return diy.Unavailable("`pulumi api`") },
	}
}
