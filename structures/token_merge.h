/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_TOKEN_MERGE_H
#define STRUCTURES_TOKEN_MERGE_H

#include "store/contents.h"

/* The type "token": the line merge, and rules that settle conflicts of it by
 * words (FORMAT.md, "Tokens").  All or nothing a conflict; each that is settled
 * is in the note of the output, with its rule.  Symmetric. */
extern const struct merge_type token_merge_type;

/* The same with more and laxer rules, for merge_suggestion_register. */
extern const struct merge_type token_suggest_type;

#endif
