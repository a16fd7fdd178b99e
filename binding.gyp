{
  "targets": [
    {
      "target_name": "spillway",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/always-run"],
          "action": ["node", "scripts/build-native.mjs", "--out", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
